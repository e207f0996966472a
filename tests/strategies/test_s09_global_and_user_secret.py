"""s09: a secret per user, hashed with a global one: ours are a version and a generation."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jwt_revoke import api
from tests.conftest import make_user
from tests.strategies.over_http import Phone

pytestmark = pytest.mark.django_db


def statements(call):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        call()
    return len(captured)


def test_users_half_kills_one_users_tokens(user):
    make_user("bob")
    alice, bob = Phone(), Phone("bob")
    api.revoke_user(user)
    assert (alice.standing(), bob.standing()) == ("revoked", "live")


def test_global_half_kills_everybodys_tokens(user):
    make_user("bob")
    alice, bob = Phone(), Phone("bob")
    api.revoke_everyone()
    assert (alice.standing(), bob.standing()) == ("revoked", "revoked")


def test_one_half_never_masks_the_other(user):
    phone = Phone()
    api.revoke_everyone(effect="access")
    api.revoke_user(user)
    assert phone.standing() == "revoked"
    phone.sign_in()
    assert phone.standing() == "live"


def test_changing_the_users_half_costs_the_same_with_many_sessions(user):
    """Invariant 8."""
    Phone()
    api.revoke_user(user)
    Phone()
    few = statements(lambda: api.revoke_user(user))
    for _ in range(5):
        Phone()
    assert statements(lambda: api.revoke_user(user)) == few


def test_changing_the_global_half_costs_the_same_with_many_users(user):
    """Invariant 8."""
    Phone()
    api.revoke_everyone()
    few = statements(api.revoke_everyone)
    for name in ("bob", "carol", "dave"):
        make_user(name)
        Phone(name)
    assert statements(api.revoke_everyone) == few
