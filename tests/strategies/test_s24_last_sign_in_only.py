"""s24: only the last sign-in is valid, or the last N."""

from __future__ import annotations

import pytest
from django.utils import timezone

from jwt_revoke.models import DeviceSession
from tests.conftest import make_user
from tests.strategies.over_http import AUTH, Phone, log

pytestmark = pytest.mark.django_db


@pytest.fixture
def limit(settings):
    def set_limit(number, on_limit="end_oldest"):
        settings.JWT_REVOKE = {
            **settings.JWT_REVOKE,
            "MAX_SESSIONS_PER_USER": number,
            "ON_SESSION_LIMIT": on_limit,
        }

    return set_limit


def test_second_sign_in_ends_the_first(user, limit):
    limit(1)
    phone, laptop = Phone(), Phone(device="laptop")
    assert (phone.standing(), laptop.standing()) == ("revoked", "live")
    assert not phone.may_renew()
    assert log() == [("session", "session_limit", "session")]


def test_third_of_two_puts_the_oldest_out(user, limit):
    limit(2)
    oldest, middle, newest = Phone(), Phone(device="laptop"), Phone(device="tablet")
    standing = [device.standing() for device in (oldest, middle, newest)]
    assert standing == ["revoked", "live", "live"]


def test_newest_is_refused_where_the_site_wants_it(user, limit):
    limit(1, "refuse")
    phone = Phone()
    answer = phone.sign_in()
    assert answer.status_code == 403
    assert answer.data["detail"].code == "session_limit"
    assert log() == []


def test_refused_device_comes_in_after_another_signed_out(user, limit):
    limit(1, "refuse")
    phone = Phone()
    assert phone.post(AUTH + "logout/").status_code == 204
    assert phone.sign_in().status_code == 200


def test_session_that_is_idle_for_too_long_takes_no_place(user, limit):
    limit(1, "refuse")
    Phone()
    DeviceSession.objects.update(idle_expires_at=timezone.now())
    assert Phone(device="laptop").standing() == "live"


def test_limit_is_each_users_own(user, limit):
    limit(1)
    make_user("bob")
    alice, _bob = Phone(), Phone("bob")
    assert alice.standing() == "live"


def test_lowered_limit_ends_all_that_are_too_many_at_the_next_sign_in(user, limit):
    devices = [Phone(device=f"device {number}") for number in range(3)]
    limit(1)
    newest = Phone()
    assert [device.standing() for device in devices] == ["revoked"] * 3
    assert newest.standing() == "live"
