"""An API as a site would write it. Only ``CriticalView`` knows that tokens can be revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from jwt_revoke.permissions import FreshRevocationCheck, RecentlyAuthenticated


class PingView(APIView):
    """Touches nothing of the user: what it costs is what letting someone in costs."""

    permission_classes = [IsAuthenticated]

    def get(self, request: Request) -> Response:
        return Response({"ok": True})


class MeView(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request: Request) -> Response:
        user: Any = request.user
        return Response(
            {
                "id": user.pk,
                "username": user.get_username(),
                "role": user.role,
                "groups": sorted(user.groups.values_list("name", flat=True)),
            }
        )


class StaffView(APIView):
    permission_classes = [IsAdminUser]

    def get(self, request: Request) -> Response:
        return Response({"ok": True})


class CriticalView(APIView):
    """Asks the database whatever the backend, and wants the password within five minutes."""

    permission_classes = [
        IsAuthenticated,
        FreshRevocationCheck,
        RecentlyAuthenticated.within(timedelta(minutes=5)),
    ]

    def get(self, request: Request) -> Response:
        return Response({"ok": True})


class OpenView(APIView):
    authentication_classes = []
    permission_classes = [AllowAny]

    def get(self, request: Request) -> Response:
        return Response({"ok": True})
