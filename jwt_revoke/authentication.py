"""The DRF authentication class: ``Authorization: Bearer …`` → codec → backend → user.

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["jwt_revoke.authentication.JWTAuthentication"],
}
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext_lazy as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.request import Request

from . import metrics
from .actor import set_actor
from .backends.base import get_backend, get_database_backend, get_strict_backend
from .backends.database import DatabaseBackend
from .claims import Claims
from .conf import conf
from .deferred import deferred_user
from .exceptions import TokenInvalid, TokenRefused, Unavailable
from .secrecy import forget_locals, secret_locals
from .subjects import key_spelt, user_key
from .verification import claims_of_header
from .verifier import AnotherScheme, token_of

logger: Final = logging.getLogger("jwt_revoke")

T = TypeVar("T")

_REALM: Final = "api"
_MESSAGES: Final = {
    "invalid": _("Token is invalid"),
    "expired": _("Token is expired"),
    "stale": _("Token is out of date"),
    "revoked": _("Token is revoked"),
}


class TokenNotValid(AuthenticationFailed):
    """401 about a token, in simplejwt's shape; why it was revoked is in the log alone."""

    silent_variable_failure = True
    """A template that is the first to ask for a field of the user shows nothing, and is no 500."""

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
    silent_variable_failure = True


class JWTAuthentication(BaseAuthentication):
    """Authenticates by access token. ``request.auth`` is its ``Claims``. Writes nothing."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Claims] | None:
        """The user and the claims, or ``None`` when the request brings no token of our scheme."""
        header = None
        try:
            header = request._request.META.get("HTTP_AUTHORIZATION")
            if not header:
                return None
            view: Any = (request.parser_context or {}).get("view")
            # Of a view (s21): seconds, or a timedelta.
            wanted: Any = getattr(view, "max_staleness", None)
            if isinstance(wanted, timedelta):
                wanted = wanted.total_seconds()
            kind: Any = type(view)
            # In a coroutine a query at an attribute's access would be an error.
            found = _authenticated(header, request, wanted, defer=not _is_async(kind))
        except AnotherScheme:
            return None
        except BaseException as error:
            # The token, its parts, the account with its hash.
            del header
            forget_locals(error)
            if isinstance(error, TokenNotValid):
                note_refusal(request)
            raise
        set_actor(found[0])
        return found

    def authenticate_header(self, request: Request) -> str:
        """The challenge (RFC 6750 §3): no ``error`` for a request without credentials."""
        return challenge(getattr(request, "jwt_revoke_refusal", ""))


@secret_locals
def authenticate_token(
    raw: str,
    request: Request | None = None,
    max_staleness: float | None = None,
    *,
    defer: bool = True,
) -> tuple[AbstractBaseUser, Claims]:
    """The user and claims of an access token that lives; else raises 401 or 503.

    Where the backend needs no row, the user is deferred: the first need of a field but its key
    reads the row, and answers 401 when the account is gone, inactive or has another password.
    ``defer=False`` gives a loaded one, for async code: ``sync_to_async(authenticate_token)``.
    """
    header = f"{conf.AUTH_HEADER_TYPES[0]} {raw}"
    return _authenticated(header, request, max_staleness, defer=defer)


# The path of a request. What it does not do for a token that was seen before: verify a signature,
# look a setting up, write to a log, send a signal, take a lock; and, within a replica's bounds, ask
# anybody. Nor does it call a function of Python's that it can do without: between two requests
# they fall out of the processor's caches, and to call one costs more than what most do.
def _authenticated(
    header: str, request: Request | None, max_staleness: float | None, *, defer: bool
) -> tuple[AbstractBaseUser, Claims]:
    try:
        claims = claims_of_header(header)
    except TokenRefused as error:
        raise refused(error) from None
    except Unavailable as error:
        raise _answer(error) from None
    try:
        user = get_backend().check(claims, max_staleness)
    except (TokenRefused, Unavailable) as error:
        raise _answer(error) from None
    metrics.live()
    if user is not None:
        return user, claims
    if defer:
        try:
            key = user_key(claims) if conf.SUBJECT == "opaque" else key_spelt(claims.sub)
        except Unavailable as error:
            raise _answer(error) from None
        if key is not None:
            user = deferred_user(key, _load, claims, request)
    return _load(claims, request) if user is None else user, claims


@secret_locals
def _load(claims: Claims, request: Request | None) -> AbstractBaseUser:
    backend = cast("DatabaseBackend", get_database_backend())
    try:
        return _judged(backend.load, claims)
    except TokenNotValid:
        if request is not None:
            note_refusal(request)
        raise


# Django looks at all methods of a view to know, each time.
@lru_cache(maxsize=1024)
def _is_async(view: type[Any]) -> bool:
    return bool(getattr(view, "view_is_async", False))


def check_strictly(claims: Claims) -> None:
    """Let a token pass that lives at this moment, whatever the backend; else 401 or 503."""
    _judged(get_strict_backend().check, claims)


def _judged(check: Callable[[Claims], T], claims: Claims) -> T:
    """What ``check`` returns; what it raises as an answer."""
    try:
        user = check(claims)
    except (TokenRefused, Unavailable) as error:
        raise _answer(error) from None
    metrics.live()
    return user


def _answer(error: TokenRefused | Unavailable) -> APIException:
    """The 401 or 503 for what a backend raised, which is counted."""
    metrics.checked(error.slug)
    if isinstance(error, TokenRefused):
        return refused(error)
    logger.error("Access token not checked: %s", error.detail)
    return ServiceUnavailable()


def refused(error: TokenRefused) -> TokenNotValid:
    """The 401 for ``error``: its slug for the client, its detail for the log."""
    logger.info("Access token refused: %s", error.detail)
    return TokenNotValid(error)


INVALID_TOKEN: Final = 'error="invalid_token"'  # noqa: S105  (a word, no secret)
"""RFC 6750 §3.1, in the challenge of a 401 about a token."""


def note_refusal(request: Request, why: str = INVALID_TOKEN) -> None:
    """Say in the challenge why: on the request, since DRF asks another instance for the header."""
    request.jwt_revoke_refusal = why  # type: ignore[attr-defined]  # of ours, unknown to its type


def challenge(why: str = "") -> str:
    """The value of ``WWW-Authenticate``; no ``error`` for a request without credentials."""
    return f'{conf.AUTH_HEADER_TYPES[0]} realm="{_REALM}"' + (f", {why}" if why else "")


def bearer_token(request: Request) -> str | None:
    """The text after the scheme, or ``None`` when the scheme is not ours.

    Raises ``TokenNotValid`` for a header with no token or more than one.
    """
    try:
        return token_of(request._request.META.get("HTTP_AUTHORIZATION", ""))
    except AnotherScheme:
        return None
    except TokenInvalid as error:
        raise refused(error) from None


def refusal(error: TokenRefused) -> dict[str, Any]:
    """The body of a 401 about a token that did not come in the header (simplejwt's shape)."""
    return {"detail": _MESSAGES[error.slug], "code": "token_not_valid"}
