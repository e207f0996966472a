"""The DRF authentication class: ``Authorization: Bearer …`` → codec → backend → user.

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["jwt_revoke.authentication.JWTAuthentication"],
}
"""

from __future__ import annotations

import logging
from typing import Any, Final

from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.request import Request

from .actor import set_actor
from .backends.base import BaseBackend, get_backend, get_strict_backend
from .claims import Claims
from .codec import decode_access
from .conf import conf
from .exceptions import TokenInvalid, TokenRefused, Unavailable
from .keystore import key_ring

logger: Final = logging.getLogger("jwt_revoke")

_REALM: Final = "api"
_MESSAGES: Final = {
    "invalid": _("Token is invalid"),
    "expired": _("Token is expired"),
    "stale": _("Token is out of date"),
    "revoked": _("Token is revoked"),
}


class TokenNotValid(AuthenticationFailed):
    """401 about a token, in simplejwt's shape; why it was revoked is in the log alone."""

    def __init__(self, error: TokenRefused) -> None:
        self.reason = error.slug
        super().__init__(
            {
                "detail": _("Given token not valid for any token type"),
                "code": "token_not_valid",
                "messages": [
                    {
                        "token_class": "AccessToken",
                        "token_type": "access",
                        "message": _MESSAGES[error.slug],
                        "reason": error.slug,
                    }
                ],
            },
            "token_not_valid",
        )


class ServiceUnavailable(APIException):
    """503 with ``Retry-After``: the truth can't be had now, and is never guessed."""

    status_code = 503
    default_detail = _("Temporarily unavailable. Try again.")
    default_code = "unavailable"
    wait = Unavailable.retry_after


class JWTAuthentication(BaseAuthentication):
    """Authenticates by access token. ``request.auth`` is its ``Claims``. Writes nothing."""

    # All locals of it and below: the token, its parts, the account with its hash. An error report
    # would send them by e-mail.
    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Claims] | None:
        """The user and the claims, or ``None`` when the request brings no token of our scheme."""
        try:
            raw = bearer_token(request)
            if raw is None:
                return None
            user, claims = authenticate_token(raw)
        except TokenNotValid:
            # On the request, unknown to its type: DRF asks another instance for the header.
            request.jwt_revoke_refused = True  # type: ignore[attr-defined]
            raise
        set_actor(user)
        return user, claims

    def authenticate_header(self, request: Request) -> str:
        """The challenge (RFC 6750 §3): no ``error`` for a request without credentials."""
        return challenge(refused=getattr(request, "jwt_revoke_refused", False))


@sensitive_variables()
def authenticate_token(raw: str) -> tuple[AbstractBaseUser, Claims]:
    """The user and claims of an access token that lives; else raises 401 or 503."""
    try:
        claims = decode_access(raw, key_ring())
    except TokenRefused as error:
        raise refused(error) from None
    return _judged(get_backend(), claims), claims


def check_strictly(claims: Claims) -> AbstractBaseUser:
    """The user of a token that lives at this moment, whatever the backend; else 401 or 503."""
    return _judged(get_strict_backend(), claims)


def _judged(backend: BaseBackend, claims: Claims) -> AbstractBaseUser:
    try:
        return backend.check(claims)
    except TokenRefused as error:
        raise refused(error) from None
    except Unavailable as error:
        # Without the traceback: a driver's message may quote a parameter.
        logger.error("Access token not checked: %s", error.detail)  # noqa: TRY400
        raise ServiceUnavailable from error


def refused(error: TokenRefused) -> TokenNotValid:
    """The 401 for ``error``: its slug for the client, its detail for the log."""
    logger.info("Access token refused: %s", error.detail)
    return TokenNotValid(error)


def challenge(*, refused: bool) -> str:
    """The value of ``WWW-Authenticate``."""
    error = ', error="invalid_token"' if refused else ""
    return f'{conf.AUTH_HEADER_TYPES[0]} realm="{_REALM}"{error}'


def bearer_token(request: Request) -> str | None:
    """The text after the scheme, or ``None`` when the scheme is not ours.

    Raises ``TokenNotValid`` for a header with no token or more than one.
    """
    parts = get_authorization_header(request).split()
    if not parts or parts[0].lower() not in _schemes():
        return None
    if len(parts) != 2:
        raise refused(TokenInvalid("not a scheme and one token"))
    return parts[1].decode("latin-1")


def _schemes() -> set[bytes]:
    # Case-insensitive (RFC 9110 §11.1), unlike the peers.
    return {scheme.lower().encode() for scheme in conf.AUTH_HEADER_TYPES}


def refusal(error: TokenRefused) -> dict[str, Any]:
    """The body of a 401 about a token that did not come in the header (simplejwt's shape)."""
    return {"detail": _MESSAGES[error.slug], "code": "token_not_valid"}
