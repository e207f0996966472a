"""s31: a hook, ``isRevoked(token)``, of the application's own: a backend of its own."""

from __future__ import annotations

from typing import ClassVar

import pytest

from jwt_revoke import api
from jwt_revoke.backends.base import BaseBackend
from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.exceptions import TokenRevoked, TokenStale, Unavailable
from tests.strategies.over_http import AUTH, Phone
from tests.wire import assert_refused_header

pytestmark = pytest.mark.django_db


class Hook:
    """The application's own knowledge of tokens."""

    revoked: ClassVar[set] = set()
    away = False

    @classmethod
    def is_revoked(cls, claims):
        if cls.away:
            raise Unavailable("the hook does not answer")
        return claims.jti in cls.revoked


class HookBesideTheRows(DatabaseBackend):
    """Everything that is compared anyway, and the hook."""

    def check(self, claims, max_staleness=None):
        user = super().check(claims, max_staleness)
        if Hook.is_revoked(claims):
            raise TokenStale("the hook says so")
        return user


class HookAlone(BaseBackend):
    """Nothing but the hook: the user's row is read when a view needs it."""

    def check(self, claims, max_staleness=None):
        if Hook.is_revoked(claims):
            raise TokenRevoked("the hook says so")


@pytest.fixture(autouse=True)
def hook(monkeypatch):
    monkeypatch.setattr(Hook, "revoked", set())
    monkeypatch.setattr(Hook, "away", False)


@pytest.fixture(params=[HookBesideTheRows, HookAlone])
def backend(request, user, settings):
    path = f"{__name__}.{request.param.__name__}"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}
    return request.param


def test_what_the_hook_revokes_is_refused_with_the_usual_answer(backend):
    phone, laptop = Phone(), Phone(device="laptop")
    assert (phone.standing(), laptop.standing()) == ("live", "live")
    Hook.revoked.add(phone.claims["jti"])
    reason = "stale" if backend is HookBesideTheRows else "revoked"
    assert_refused_header(phone.get("/api/ping/"), reason)
    assert laptop.standing() == "live"


def test_hook_that_cannot_know_is_503(backend):
    """Invariant 4."""
    phone = Phone()
    Hook.away = True
    answer = phone.get("/api/ping/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")


def test_views_get_their_user(backend, django_assert_num_queries):
    phone = Phone()
    with django_assert_num_queries(1):
        assert phone.get("/api/me/").json()["username"] == "alice"


def test_hook_beside_the_rows_adds_to_what_revokes(user, settings):
    path = f"{__name__}.HookBesideTheRows"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}
    phone = Phone()
    api.end_session(phone.session_id)
    assert phone.standing() == "revoked"


def test_hook_alone_costs_no_query_and_refresh_asks_the_rows(
    user, settings, django_assert_num_queries
):
    """What it does not look at is found when the token is renewed, and by ``token/verify/``."""
    path = f"{__name__}.HookAlone"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}
    phone = Phone()
    with django_assert_num_queries(0):
        assert phone.standing() == "live"
    api.end_session(phone.session_id)
    assert phone.standing() == "live"
    assert phone.post(AUTH + "token/verify/", {"token": phone.access}).status_code == 401
    assert not phone.may_renew()
