"""Permissions for the views that ask for more than a live token (s21, s23)."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import ClassVar

from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from .authentication import TokenNotValid, check_strictly
from .backends.base import get_backend
from .claims import Claims


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
                # As JWTAuthentication does it, for the challenge.
                request.jwt_revoke_refused = True  # type: ignore[attr-defined]
                raise
        return True


class RecentlyAuthenticated(BasePermission):
    """Only shortly after a password: the token's ``auth_time`` is at most ``max_age`` old.

    ``POST reauthenticate/`` gives a token with a new one.
    """

    max_age: ClassVar[timedelta] = timedelta(minutes=5)
    message = _("Confirm your password to go on.")
    code = "insufficient_user_authentication"

    @classmethod
    def within(cls, max_age: timedelta) -> type[RecentlyAuthenticated]:
        """The permission class for another age."""
        return type(cls.__name__, (cls,), {"max_age": max_age})

    def has_permission(self, request: Request, view: APIView) -> bool:
        claims = request.auth
        return (
            isinstance(claims, Claims)
            and time.time() - claims.auth_time <= self.max_age.total_seconds()
        )
