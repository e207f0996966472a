"""s05: a version per user in the claims, raised to kill all."""

from __future__ import annotations

import pytest

from jwt_revoke import api
from jwt_revoke.models import UserTokenState
from tests.conftest import make_user
from tests.strategies.over_http import Phone, log

pytestmark = pytest.mark.django_db


def test_raising_the_version_kills_every_token_of_the_user(user):
    devices = [Phone(), Phone(device="laptop"), Phone(device="tablet")]
    api.revoke_user(user)
    assert [device.standing() for device in devices] == ["revoked"] * 3
    assert not any(device.may_renew() for device in devices)
    assert log() == [("user", "revoked", "session")]


def test_other_users_notice_nothing(user):
    make_user("bob")
    phone, other = Phone(), Phone("bob")
    api.revoke_user(user)
    assert (phone.standing(), other.standing()) == ("revoked", "live")


def test_token_carries_the_version_of_its_user(user):
    phone = Phone()
    assert phone.claims["ver"] == UserTokenState.objects.get().version


def test_new_sign_in_carries_the_raised_version_and_lives(user):
    phone = Phone()
    before = phone.claims["ver"]
    raised = api.revoke_user(user)
    phone.sign_in()
    assert phone.claims["ver"] == raised > before
    assert phone.standing() == "live"


def test_effect_access_makes_every_device_refresh_and_go_on(user):
    phone = Phone()
    api.revoke_user(user, effect="access")
    assert phone.standing() == "stale"
    assert phone.may_renew()
    assert phone.standing() == "live"


def test_version_rises_even_when_the_clock_steps_back(user, monkeypatch):
    """Invariant 6."""
    phone = Phone()
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    first = api.revoke_user(user)
    second = api.revoke_user(user)
    assert phone.claims["ver"] < first < second
    assert phone.standing() == "revoked"
