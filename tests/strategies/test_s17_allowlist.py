"""s17: an allowlist of live sessions; delete to kill."""

from __future__ import annotations

import pytest

from jwt_revoke import api
from jwt_revoke.models import DeviceSession, UserTokenState
from tests.strategies.over_http import Phone
from tests.wire import READS

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
    assert captured[0]["sql"].startswith(READS)
    assert (rows.values().get(), UserTokenState.objects.values().get()) == before


# The replica cannot: it knows what was revoked, not what lives. A row that somebody deletes past
# us is not in the log it follows.


@pytest.fixture
def forgotten(transactional_db, user, replica):
    """A device whose session was deleted by hand, where the replica answers."""
    replica()
    phone = Phone()
    DeviceSession.objects.filter(pk=phone.session_id).delete()
    return phone


@pytest.mark.django_db(transaction=True)
def test_copy_of_the_log_does_not_miss_a_row_that_nobody_revoked(forgotten):
    assert forgotten.standing() == "live"


@pytest.mark.django_db(transaction=True)
def test_verifying_finds_that_it_is_not_known(forgotten):
    """Strict, by the rows, whatever the backend; as are views with ``FreshRevocationCheck``."""
    answer = forgotten.post("/api/auth/token/verify/", {"token": forgotten.access})
    assert answer.status_code == 401


@pytest.mark.django_db(transaction=True)
def test_refresh_finds_that_it_is_not_known(forgotten):
    assert not forgotten.may_renew()


@pytest.mark.django_db(transaction=True)
def test_session_that_is_revoked_is_dead_at_once_and_no_row_is_asked(user, replica):
    """What it does instead: to end a session is an entry of the log."""
    replica()
    phone = Phone()
    api.revoke_session(phone.session_id)
    DeviceSession.objects.all().delete()
    assert phone.standing() == "revoked"
