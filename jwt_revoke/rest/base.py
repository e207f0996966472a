"""What every view of ours shares: bounded input, one place that translates errors, no-store."""

from __future__ import annotations

import logging
from typing import Any, Final, cast

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import SuspiciousOperation
from django.db import Error, connections, transaction
from django.http import HttpRequest, UnreadablePostError
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, parsers, permissions
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from ..authentication import (
    INVALID_TOKEN,
    JWTAuthentication,
    ServiceUnavailable,
    TokenNotValid,
    challenge,
    refusal,
)
from ..claims import Claims
from ..codec import NestedTooDeeply, read_json
from ..database import describe, is_outage
from ..exceptions import SessionLimitReached, SignInRefused, TokenRefused, Unavailable
from ..secrecy import hide_form, secret_locals

logger: Final = logging.getLogger("jwt_revoke")

MAX_BODY: Final = 65_536
"""Bytes. The largest honest body here is a token of 8 KiB."""


class BoundedJSONParser(parsers.JSONParser):
    """DRF's, for JSON that every reader reads alike.

    A firewall that reads the first of two equal names lets the second pass unseen; and DRF's takes
    ``1e400``, which a field of text makes "inf" of.
    """

    def parse(self, stream: Any, *_args: Any, **_kwargs: Any) -> Any:
        """The parsed body; ``ParseError`` for what can't be parsed."""
        try:
            return read_json(stream.read())
        except NestedTooDeeply:
            raise exceptions.ParseError(_("JSON nested too deeply")) from None
        except ValueError as error:
            raise exceptions.ParseError(f"JSON parse error - {error}") from None


class BodyTooLarge(exceptions.APIException):
    """413: more than any honest request holds."""

    status_code = 413
    default_detail = _("Request body too large")
    default_code = "too_large"


class CredentialsRefused(exceptions.AuthenticationFailed):
    """401 of a sign-in: it tells nobody whether the account exists, is active, or why."""

    default_detail = _("No active account found with the given credentials")
    default_code = SignInRefused.slug


class SessionLimit(exceptions.PermissionDenied):
    """403: the account's sessions are all taken."""

    default_detail = _("Too many devices are signed in. Sign out on one of them first.")
    default_code = SessionLimitReached.slug


class BodyTokenNotValid(exceptions.AuthenticationFailed):
    """401 about a token that came in the body: ``detail`` and ``code``, as simplejwt's."""

    def __init__(self, error: TokenRefused) -> None:
        super().__init__(refusal(error), "token_not_valid")


class OpenView(GenericAPIView[Any]):
    """A view that asks for no credentials of its own: it reads tokens itself, or needs none.

    Never inside the transaction of ``ATOMIC_REQUESTS``: what is revoked before a refusal must
    stay revoked (invariant 2).
    """

    authentication_classes: Any = []
    permission_classes: Any = [permissions.AllowAny]
    parser_classes: Any = [BoundedJSONParser, parsers.FormParser, parsers.MultiPartParser]
    # What a site sets for its own API does not fit these: a version in a namespace, say, would
    # make every one of them 404.
    pagination_class = None
    versioning_class = None
    filter_backends: Any = ()
    cache_control = "no-store"
    """For a success; whatever else is answered is never stored."""
    refused_token = False
    """Whether the 401 being answered is about a token (RFC 6750 §3.1)."""

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        # Every local below a view of ours may hold a token or a password.
        view = secret_locals(super().as_view(**initkwargs))
        view.csrf_exempt = True  # as DRF's: no cookie authenticates here
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """The request as UTF-8, whatever charset it claims (RFC 8259 §8.1 knows no other).

        Python takes "zip", "base64" and "undefined" for one too: a body would be unpacked, or be
        an error instead of an answer.
        """
        request.encoding = "utf-8"
        hide_form(request)
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Bound the body before anybody parses it."""
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not (length.isascii() and length.isdecimal()):
            raise exceptions.ParseError(_("Malformed request"))
        # By the number of digits first: Python refuses to read thousands of them.
        digits = length.lstrip("0") or "0"
        if len(digits) > len(str(MAX_BODY)) or int(digits) > MAX_BODY:
            raise BodyTooLarge
        super().initial(request, *args, **kwargs)

    def check_throttles(self, request: Request) -> None:
        """The first throttle that refuses is the last that is asked, unlike DRF's.

        An address that has had its share must not use up that of any name it sends, and shut its
        owner out with it; nor keep a thread waiting for the body with that name.
        """
        for throttle in self.get_throttles():
            if not throttle.allow_request(request, self):
                self.throttled(request, throttle.wait())  # type: ignore[arg-type]  # seconds may be a fraction

    def valid(self, request: Request) -> dict[str, Any]:
        """The body, validated; raises DRF's 400."""
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        data: dict[str, Any] = serializer.validated_data
        return data

    def handle_exception(self, exc: Exception) -> Response:
        """Translate our exceptions and the database's into answers, here and nowhere else."""
        translated = _translated(exc)
        self.refused_token = isinstance(translated, BodyTokenNotValid | TokenNotValid)
        return super().handle_exception(translated)

    def get_authenticate_header(self, request: Request) -> str:
        """The challenge of a 401; without one DRF would make it a 403."""
        return challenge(INVALID_TOKEN if self.refused_token else "")

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        answer["Cache-Control"] = "no-store"
        if request.method in {"GET", "HEAD"} and answer.status_code == 200:
            answer["Cache-Control"] = self.cache_control
        return answer


class SignedInView(OpenView):
    """A view for whoever brings a live access token."""

    authentication_classes: Any = [JWTAuthentication]
    permission_classes: Any = [permissions.IsAuthenticated]

    @property
    def claims(self) -> Claims:
        """What the token says that was let in."""
        return cast("Claims", self.request.auth)

    @property
    def user(self) -> AbstractBaseUser:
        """Who was let in."""
        return cast("AbstractBaseUser", self.request.user)


def _translated(exc: Exception) -> Exception:
    if isinstance(exc, TokenRefused):
        logger.info("Token refused: %s", exc.detail)
        return BodyTokenNotValid(exc)
    if isinstance(exc, SignInRefused):
        logger.info("Sign-in refused: %s", exc.detail)
        return CredentialsRefused()
    if isinstance(exc, SessionLimitReached):
        return SessionLimit()
    if isinstance(exc, Unavailable):
        logger.error("Unavailable: %s", exc.detail)
        return ServiceUnavailable()
    if isinstance(exc, Error) and is_outage(exc):
        logger.error("Unavailable: %s", describe(exc))
        return ServiceUnavailable()
    if isinstance(exc, SuspiciousOperation | UnreadablePostError):
        return exceptions.ParseError(_("Malformed request"))
    return exc
