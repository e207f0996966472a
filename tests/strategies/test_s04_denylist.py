"""s04: a denylist of ``jti`` until ``exp``, in the database, in memory or in Redis."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jwt_revoke import api
from jwt_revoke.models import Revocation
from tests.strategies.over_http import Phone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["in the database", "in memory", "in Redis"], autouse=True)
def denylist(request, user, replica):
    if request.param == "in memory":
        replica()
    elif request.param == "in Redis":
        request.getfixturevalue("cache_in_redis")
        replica(log="redis")
    return request.param


def test_denied_token_is_refused_and_its_session_goes_on():
    phone = Phone()
    denied = phone.access
    assert phone.standing() == "live"
    assert api.revoke_token(denied, reason="lost")
    assert phone.standing() == "stale"
    assert phone.may_renew()
    assert phone.standing() == "live"
    assert phone.standing(denied) == "stale"


def test_only_that_token_is_denied():
    phone, laptop = Phone(), Phone(device="laptop")
    api.revoke_token(phone.access)
    assert laptop.standing() == "live"


def test_entry_is_kept_until_the_token_expires():
    phone = Phone()
    api.revoke_token(phone.access, reason="lost")
    entry = Revocation.objects.get()
    assert (entry.scope, entry.subject, entry.reason) == ("token", phone.claims["jti"], "lost")
    assert entry.expires_at == datetime.fromtimestamp(phone.claims["exp"], UTC)


def test_verify_says_that_a_denied_token_is_dead():
    phone = Phone()
    api.revoke_token(phone.access)
    assert phone.post("/api/auth/token/verify/", {"token": phone.access}).status_code == 401


def test_copy_that_is_lost_denies_as_before(denylist, replica, request):
    """Invariant 3: a process that restarts, and a Redis that is flushed, revive nothing."""
    phone = Phone()
    api.revoke_token(phone.access)
    assert phone.standing() == "stale"
    if denylist == "in memory":
        replica()
    elif denylist == "in Redis":
        with request.getfixturevalue("cache_in_redis").client() as client:
            client.flushall()
    assert phone.standing() == "stale"
