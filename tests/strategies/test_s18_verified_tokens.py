"""s18: verified tokens kept in each process, and a signal to all of them."""

from __future__ import annotations

import pytest

from jwt_revoke import api
from tests.strategies.over_http import Phone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=["database", "redis"], autouse=True)
def followed(request, user, replica):
    """What carries the signal."""
    if request.param == "redis":
        request.getfixturevalue("cache_in_redis")
    return replica(log=request.param)


def test_signature_is_verified_once_however_many_requests_bring_it(verified):
    phone = Phone()
    assert [phone.standing() for _ in range(3)] == ["live"] * 3
    assert verified == [phone.access]


@pytest.mark.parametrize(
    ("revoke", "standing"),
    [
        (lambda phone, user: api.end_session(phone.session_id), "revoked"),
        (lambda phone, user: api.revoke_user(user), "revoked"),
        (lambda phone, user: api.revoke_user(user, effect="access"), "stale"),
        (lambda phone, user: api.revoke_token(phone.access), "stale"),
        (lambda phone, user: api.revoke_everyone(), "revoked"),
    ],
)
def test_kept_signature_keeps_no_revoked_token_alive(user, verified, revoke, standing):
    phone = Phone()
    assert phone.standing() == "live"
    revoke(phone, user)
    assert phone.standing() == standing
    assert verified == [phone.access]


def test_another_process_that_has_verified_it_refuses_it_too(user, neighbour):
    """Invariant 1: in any process, once the call has returned."""
    phone, other = Phone(), neighbour()
    assert [other.standing(phone.access) for _ in range(3)] == ["live"] * 3
    api.end_session(phone.session_id)
    assert other.standing(phone.access) == "revoked"
    assert (other.verified, other.fallbacks) == (1, 0)
