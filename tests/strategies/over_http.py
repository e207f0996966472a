"""A device of somebody's, which knows the site by its HTTP answers alone."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from django.contrib.auth import get_user_model
from rest_framework.response import Response
from rest_framework.test import APIClient

from jwt_revoke.models import Revocation
from tests.conftest import PASSWORD

AUTH = "/api/auth/"


class Phone(APIClient):
    """Signs in at ``POST token/`` and keeps the tokens of the last answer."""

    def __init__(self, name: str = "alice", device: str = "phone", **extra: Any) -> None:
        super().__init__(HTTP_USER_AGENT=f"{device}/1", **extra)
        self.name, self.device = name, device
        answer = self.sign_in()
        assert answer.status_code == 200, answer.data

    def sign_in(self, password: str = PASSWORD) -> Response:
        self.credentials()
        field = get_user_model().USERNAME_FIELD
        body = {field: self.name, "password": password, "device": self.device}
        answer = self.post(AUTH + "token/", body)
        if answer.status_code == 200:
            self.session_id = answer.data["session"]
            self.hold(answer.data)
        return answer

    def hold(self, tokens: dict[str, Any]) -> None:
        self.access, self.refresh = tokens["access"], tokens["refresh"]
        self.credentials(HTTP_AUTHORIZATION=f"Bearer {self.access}")

    def renew(self) -> Response:
        """Exchange the refresh token, as a client does that was told "stale" or "expired"."""
        answer = self.post(AUTH + "token/refresh/", {"refresh": self.refresh})
        if answer.status_code == 200:
            self.hold(answer.data)
        return answer

    def standing(self, token: str | None = None) -> str:
        """``live``, or the reason that the 401 of an ordinary view gives."""
        client = APIClient(HTTP_AUTHORIZATION=f"Bearer {token or self.access}")
        answer = client.get("/api/ping/")
        if answer.status_code == 200:
            return "live"
        assert answer.status_code == 401
        return str(answer.data["messages"][0]["reason"])

    def may_renew(self) -> bool:
        return self.renew().status_code == 200

    @property
    def claims(self) -> dict[str, Any]:
        return jwt.decode(self.access, options={"verify_signature": False})


def log() -> list[tuple[str, str, str]]:
    """Scope, reason and effect of every revocation so far, the oldest first."""
    return list(Revocation.objects.order_by("pk").values_list("scope", "reason", "effect"))


def stop_clock(monkeypatch: pytest.MonkeyPatch, at: float) -> None:
    """Let this process's ``time.time()`` stand still, however long the machine takes."""
    monkeypatch.setattr(time, "time", lambda: at)


def step_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let this process's ``time.time()`` go ahead."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + seconds)
