"""s14: a refresh token per device, and log-out of one device only."""

from __future__ import annotations

import pytest

from tests.conftest import make_user
from tests.strategies.over_http import AUTH, Phone, log

pytestmark = pytest.mark.django_db


def test_lost_device_is_signed_out_from_another(user):
    phone, laptop = Phone(), Phone(device="laptop")
    listed = laptop.get(AUTH + "sessions/").data
    lost = next(session["id"] for session in listed if session["name"] == "phone")
    assert laptop.delete(f"{AUTH}sessions/{lost}/").status_code == 204
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
    assert laptop.standing() == "live"
    assert laptop.may_renew()
    assert log() == [("session", "logout", "session")]


def test_log_out_ends_this_device_only(user):
    phone, laptop = Phone(), Phone(device="laptop")
    assert phone.post(AUTH + "logout/").status_code == 204
    assert (phone.standing(), laptop.standing()) == ("revoked", "live")


def test_list_tells_this_device_from_the_others(user):
    Phone()
    laptop = Phone(device="laptop")
    listed = laptop.get(AUTH + "sessions/").data
    assert {session["name"]: session["current"] for session in listed} == {
        "phone": False,
        "laptop": True,
    }


def test_nobody_signs_out_somebody_elses_device(user):
    make_user("mallory")
    phone, mallory = Phone(), Phone("mallory")
    assert mallory.delete(f"{AUTH}sessions/{phone.session_id}/").status_code == 404
    assert phone.standing() == "live"


def test_nobody_sees_somebody_elses_devices(user):
    make_user("mallory")
    Phone()
    listed = Phone("mallory", device="burner").get(AUTH + "sessions/").data
    assert [session["name"] for session in listed] == ["burner"]


def test_device_is_named_by_its_owner(user):
    phone = Phone()
    answer = phone.patch(f"{AUTH}sessions/{phone.session_id}/", {"name": "old phone"})
    assert answer.status_code == 200
    assert [session["name"] for session in phone.get(AUTH + "sessions/").data] == ["old phone"]
