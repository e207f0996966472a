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
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.request import Request

from . import metrics
from .actor import set_actor
from .backends.base import get_backend, get_database_backend, get_strict_backend
from .backends.database import DatabaseBackend
from .claims import Claims
from .conf import conf
from .deferred import can_defer, deferred_user
from .exceptions import TokenInvalid, TokenRefused, Unavailable
from .models import write_alias
from .subjects import user_key, user_model
from .verification import verified_claims

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

    # All locals of it and below: the token, its parts, the account with its hash. An error report
    # would send them by e-mail.
    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, Claims] | None:
        """The user and the claims, or ``None`` when the request brings no token of our scheme."""
        try:
            raw = bearer_token(request)
            if raw is None:
                return None
            view: Any = (request.parser_context or {}).get("view")
            kind: Any = type(view)
            # In a coroutine a query at an attribute's access would be an error.
            defer = not _is_async(kind)
            found = _authenticated(raw, request, _staleness_wanted(view), defer=defer)
        except TokenNotValid:
            note_refusal(request)
            raise
        set_actor(found[0])
        return found

    def authenticate_header(self, request: Request) -> str:
        """The challenge (RFC 6750 §3): no ``error`` for a request without credentials."""
        return challenge(getattr(request, "jwt_revoke_refusal", ""))


@sensitive_variables()
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
    return _authenticated(raw, request, max_staleness, defer=defer)


# The path of a request. What it does not do for a token that was seen before: verify a signature,
# look a setting up, write to a log, send a signal, take a lock; and, within a replica's bounds, ask
# anybody.
def _authenticated(
    raw: str, request: Request | None, max_staleness: float | None, *, defer: bool
) -> tuple[AbstractBaseUser, Claims]:
    try:
        claims = verified_claims(raw)
    except TokenRefused as error:
        raise refused(error) from None
    except Unavailable as error:
        raise _unavailable(error) from error
    user = _judged(get_backend().check, claims, max_staleness)
    return (_without_row(claims, request, defer=defer) if user is None else user), claims


def _without_row(claims: Claims, request: Request | None, *, defer: bool) -> AbstractBaseUser:
    model = user_model()
    try:
        key = user_key(claims)
    except Unavailable as error:
        raise _unavailable(error) from error

    def load() -> AbstractBaseUser:
        return _load(claims, request)

    if key is None or not (defer and can_defer(model)):
        return load()
    user: AbstractBaseUser = deferred_user(model, write_alias(), key, load)
    return user


@sensitive_variables()
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


def _staleness_wanted(view: Any) -> float | None:
    """``max_staleness`` of the view (s21): seconds or a ``timedelta``; ``None`` = the backend's."""
    wanted: Any = getattr(view, "max_staleness", None)
    return wanted.total_seconds() if isinstance(wanted, timedelta) else wanted


def check_strictly(claims: Claims) -> None:
    """Let a token pass that lives at this moment, whatever the backend; else 401 or 503."""
    _judged(get_strict_backend().check, claims)


def _judged(check: Callable[..., T], claims: Claims, *arguments: Any) -> T:
    """What ``check`` returns; what it raises as an answer."""
    try:
        user = check(claims, *arguments)
    except TokenRefused as error:
        metrics.checked(error.slug)
        raise refused(error) from None
    except Unavailable as error:
        raise _unavailable(error) from error
    metrics.live()
    return user


def _unavailable(error: Unavailable) -> ServiceUnavailable:
    metrics.checked(error.slug)
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
    header: str = request._request.META.get("HTTP_AUTHORIZATION", "")
    scheme, _space, raw = header.strip(" \t").partition(" ")
    if scheme.lower() not in conf.schemes:
        return None
    if not raw:
        raise refused(TokenInvalid("a scheme and no token"))
    # More than one token is none: no token has a space inside.
    return raw.lstrip(" \t")


def refusal(error: TokenRefused) -> dict[str, Any]:
    """The body of a 401 about a token that did not come in the header (simplejwt's shape)."""
    return {"detail": _MESSAGES[error.slug], "code": "token_not_valid"}
