"""s13: a refresh token with a one-time value; used again it is theft, and the sign-in ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from jwt_revoke.models import DeviceSession
from tests.strategies.over_http import AUTH, Phone, log

pytestmark = pytest.mark.django_db


def present(client, token, **extra):
    return client.post(AUTH + "token/refresh/", {"refresh": token}, **extra)


def end_grace(phone):
    rows = DeviceSession.objects.filter(pk=phone.session_id)
    rows.update(rotated_at=timezone.now() - timedelta(seconds=31))


def test_each_refresh_gives_another_token_of_the_same_session(user):
    phone = Phone()
    first = phone.refresh
    assert phone.may_renew()
    assert phone.refresh != first
    assert phone.claims["sid"] == phone.session_id
    assert DeviceSession.objects.count() == 1


def test_second_tab_within_the_grace_gets_the_same_successor(user):
    """Invariant 5."""
    phone = Phone()
    first = phone.refresh
    successor = present(phone, first).data["refresh"]
    again = present(phone, first)
    assert again.status_code == 200
    assert again.data["refresh"] == successor
    assert log() == []


def test_replay_after_the_grace_ends_the_session_access_tokens_included(user):
    """Invariant 5."""
    phone = Phone()
    stolen = phone.refresh
    assert phone.may_renew()
    end_grace(phone)
    assert present(phone, stolen).status_code == 401
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
    assert log() == [("session", "refresh_reused", "session")]


def test_replay_of_an_older_ancestor_within_the_grace_ends_the_session(user):
    """The grace is for the previous token, never for any ancestor."""
    phone = Phone()
    stolen = phone.refresh
    assert phone.may_renew()
    assert phone.may_renew()
    assert present(phone, stolen).status_code == 401
    assert phone.standing() == "revoked"


def test_replay_from_another_browser_within_the_grace_ends_the_session(user):
    phone = Phone()
    stolen = phone.refresh
    assert phone.may_renew()
    assert present(phone, stolen, HTTP_USER_AGENT="thief/1").status_code == 401
    assert phone.standing() == "revoked"


def test_no_grace_when_it_is_set_to_zero(user, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REFRESH_GRACE": timedelta(0)}
    phone = Phone()
    first = phone.refresh
    assert phone.may_renew()
    assert present(phone, first).status_code == 401
    assert phone.standing() == "revoked"


def test_grace_does_not_outlive_a_log_out(user):
    phone = Phone()
    first = phone.refresh
    assert phone.may_renew()
    assert phone.post(AUTH + "logout/").status_code == 204
    assert present(phone, first).status_code == 401


def test_replay_ends_that_session_only(user):
    phone, laptop = Phone(), Phone(device="laptop")
    stolen = phone.refresh
    phone.renew()
    end_grace(phone)
    present(phone, stolen)
    assert laptop.standing() == "live"


def test_replay_ends_every_session_of_the_user_where_the_site_wants_it(user, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "ON_REUSE": "user"}
    phone, laptop = Phone(), Phone(device="laptop")
    stolen = phone.refresh
    phone.renew()
    end_grace(phone)
    assert present(phone, stolen).status_code == 401
    assert laptop.standing() == "revoked"
    assert log() == [("user", "refresh_reused", "session")]


@pytest.mark.django_db(transaction=True)
def test_reuse_that_answers_401_stays_revoked_under_atomic_requests(user, monkeypatch):
    """Invariant 2: refused and raised inside the request's transaction, it would be undone."""
    phone = Phone()
    stolen = phone.refresh
    phone.renew()
    end_grace(phone)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    assert present(phone, stolen).status_code == 401
    assert phone.standing() == "revoked"


def test_a_year_of_refreshes_leaves_one_row(user):
    phone = Phone()
    for _ in range(20):
        assert phone.may_renew()
    assert DeviceSession.objects.get().refresh_counter == 20
