"""s25: revocation and log-out endpoints."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tests.strategies.over_http import AUTH, Phone, log, step_clock

pytestmark = pytest.mark.django_db


def test_log_out_by_access_token(user):
    phone = Phone()
    assert phone.post(AUTH + "logout/").status_code == 204
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
    assert log() == [("session", "logout", "session")]


def test_log_out_by_refresh_token_alone(user):
    phone = Phone()
    answer = APIClient().post(AUTH + "logout/", {"refresh": phone.refresh})
    assert answer.status_code == 204
    assert phone.standing() == "revoked"


def test_log_out_by_an_expired_access_token(user, monkeypatch):
    phone = Phone()
    step_clock(monkeypatch, 301)
    assert phone.post(AUTH + "logout/").status_code == 204
    assert not phone.may_renew()


def test_log_out_a_second_time_says_the_same_and_logs_nothing(user):
    phone = Phone()
    phone.post(AUTH + "logout/")
    assert phone.post(AUTH + "logout/").status_code == 204
    assert len(log()) == 1


def test_log_out_by_a_superseded_refresh_token_ends_the_session(user):
    phone = Phone()
    superseded = phone.refresh
    phone.renew()
    answer = APIClient().post(AUTH + "logout/", {"refresh": superseded})
    assert answer.status_code == 204
    assert phone.standing() == "revoked"


def test_log_out_everywhere(user):
    phone, laptop = Phone(), Phone(device="laptop")
    assert phone.post(AUTH + "logout/all/").status_code == 204
    assert (phone.standing(), laptop.standing()) == ("revoked", "revoked")
    assert log() == [("user", "logout_all", "session")]


def test_log_out_the_others(user):
    phone, laptop = Phone(), Phone(device="laptop")
    answer = phone.post(AUTH + "logout/all/", {"keep_current": True})
    assert answer.status_code == 200
    old = phone.access
    phone.hold(answer.data)
    assert (phone.standing(), laptop.standing()) == ("live", "revoked")
    assert phone.standing(old) == "revoked"


def test_blacklist_ends_the_session_of_a_refresh_token(user):
    phone = Phone()
    body = {"refresh": phone.refresh}
    assert phone.post(AUTH + "token/blacklist/", body).status_code == 200
    assert phone.standing() == "revoked"
    assert phone.post(AUTH + "token/blacklist/", body).status_code == 401


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_verify_tells_a_live_token_from_a_dead_one(user, kind):
    phone = Phone()
    body = {"token": getattr(phone, kind)}
    assert phone.post(AUTH + "token/verify/", body).status_code == 200
    phone.post(AUTH + "logout/")
    assert phone.post(AUTH + "token/verify/", body).status_code == 401


def test_verify_does_not_rotate(user):
    phone = Phone()
    phone.post(AUTH + "token/verify/", {"token": phone.refresh})
    assert phone.may_renew()
