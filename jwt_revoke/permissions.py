"""Permissions for the views that ask for more than a live token (s21, s23)."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from .authentication import TokenNotValid, check_strictly, note_refusal
from .backends.base import get_backend
from .claims import Claims


class InsufficientAuthentication(AuthenticationFailed):
    """401 whose challenge says how recent the authentication has to be (RFC 9470 §3)."""

    default_detail = _("Confirm your password to go on.")
    default_code = "insufficient_user_authentication"

    def __init__(self, max_age: int) -> None:
        super().__init__(self.default_detail, self.default_code)
        body: Any = {"detail": self.detail, "code": self.default_code, "max_age": max_age}
        # Not by way of REST framework, which makes a text of the number.
        self.detail = body


class FreshRevocationCheck(BasePermission):
    """A strict check on this view, whatever the backend's staleness (s21)."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the token lives at this moment; raises 401 or 503 as authentication does."""
        if not isinstance(request.auth, Claims):
            return False
        if not get_backend().strict:
            try:
                check_strictly(request.auth)
            except TokenNotValid:
                note_refusal(request)
                raise
        return True


class RecentlyAuthenticated(BasePermission):
    """Only shortly after a password: the token's ``auth_time`` is at most ``max_age`` old (s23).

    Else 401 with the challenge ``insufficient_user_authentication`` (RFC 9470): the token lives,
    a refresh does not help, ``POST reauthenticate/`` gives one with a new ``auth_time``.
    """

    max_age: ClassVar[timedelta] = timedelta(minutes=5)

    @classmethod
    def within(cls, max_age: timedelta) -> type[RecentlyAuthenticated]:
        """The permission class for another age."""
        return type(cls.__name__, (cls,), {"max_age": max_age})

    def has_permission(self, request: Request, view: APIView) -> bool:
        claims = request.auth
        if not isinstance(claims, Claims):
            return False
        seconds = int(self.max_age.total_seconds())
        if time.time() - claims.auth_time <= seconds:
            return True
        error = f'error="{InsufficientAuthentication.default_code}"'
        note_refusal(request, f"{error}, max_age={seconds}")
        raise InsufficientAuthentication(seconds)
