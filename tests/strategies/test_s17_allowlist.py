"""s17: an allowlist of live sessions; delete to kill."""

from __future__ import annotations

import pytest

from jwt_revoke.models import DeviceSession, UserTokenState
from tests.strategies.over_http import Phone

pytestmark = pytest.mark.django_db


def test_session_that_is_not_known_is_dead(user):
    phone = Phone()
    DeviceSession.objects.all().delete()
    assert phone.standing() == "revoked"
    assert not phone.may_renew()


def test_user_whose_state_is_not_known_is_signed_in_nowhere(user):
    phone = Phone()
    UserTokenState.objects.all().delete()
    assert phone.standing() == "revoked"
    assert not phone.may_renew()


def test_looking_it_up_is_one_statement_with_the_user_included(user, django_assert_num_queries):
    phone = Phone()
    phone.standing()
    with django_assert_num_queries(1):
        assert phone.get("/api/me/").status_code == 200


def test_looking_it_up_writes_nothing(user, django_assert_num_queries):
    """Invariant 7."""
    phone = Phone()
    rows = DeviceSession.objects.filter(pk=phone.session_id)
    before = rows.values().get(), UserTokenState.objects.values().get()
    with django_assert_num_queries(1) as captured:
        phone.standing()
    assert captured[0]["sql"].startswith("SELECT")
    assert (rows.values().get(), UserTokenState.objects.values().get()) == before
