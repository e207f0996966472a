"""The shapes of answers that clients rely upon (simplejwt's, with ``WWW-Authenticate``)."""

from __future__ import annotations

from typing import Any, Final

AUTH: Final = "/api/auth/"
READS: Final = ("SELECT", "EXECUTE jwt_revoke_")
"""What a statement that reads begins with; the second is one that PostgreSQL was given before."""
NO_ERROR: Final = 'Bearer realm="api"'
INVALID_TOKEN: Final = 'Bearer realm="api", error="invalid_token"'

MESSAGES: Final = {
    "invalid": "Token is invalid",
    "expired": "Token is expired",
    "stale": "Token is out of date",
    "revoked": "Token is revoked",
}
NO_CREDENTIALS: Final = {"detail": "Authentication credentials were not provided."}
NO_ACTIVE_ACCOUNT: Final = {"detail": "No active account found with the given credentials"}
WRONG_PASSWORD: Final = "The password is not right."


def header_refusal(reason: str) -> dict[str, Any]:
    """The body of a 401 about the token in the header."""
    return {
        "detail": "Given token not valid for any token type",
        "code": "token_not_valid",
        "messages": [
            {
                "token_class": "AccessToken",
                "token_type": "access",
                "message": MESSAGES[reason],
                "reason": reason,
            }
        ],
    }


def body_refusal(reason: str) -> dict[str, Any]:
    """The body of a 401 about a token in the body."""
    return {"detail": MESSAGES[reason], "code": "token_not_valid"}


def assert_refused_header(response: Any, reason: str) -> None:
    """The 401 about the token in the header, whole."""
    assert response.status_code == 401, response.content
    assert response.json() == header_refusal(reason)
    assert response["WWW-Authenticate"] == INVALID_TOKEN


def assert_refused_token(response: Any, reason: str) -> None:
    """The 401 about a token in the body, whole."""
    assert response.status_code == 401, response.content
    assert response.json() == body_refusal(reason)
    assert response["WWW-Authenticate"] == INVALID_TOKEN


def assert_no_credentials(response: Any) -> None:
    """The 401 of a request that brings nothing to judge (RFC 6750 §3.1: no error code)."""
    assert response.status_code == 401, response.content
    assert response.json() == NO_CREDENTIALS
    assert response["WWW-Authenticate"] == NO_ERROR
