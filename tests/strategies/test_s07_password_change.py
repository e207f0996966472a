"""s07: the last change of password against the time of issue."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from jwt_revoke.models import UserTokenState
from tests.conftest import PASSWORD
from tests.strategies.over_http import AUTH, Phone, log

pytestmark = pytest.mark.django_db

NEW = "a wholly different passphrase"


def change(device):
    body = {"old_password": PASSWORD, "new_password": NEW}
    return device.post(AUTH + "password/change/", body)


def test_change_of_password_ends_every_other_device(user):
    phone, laptop = Phone(), Phone(device="laptop")
    assert change(phone).status_code == 200
    assert laptop.standing() == "revoked"
    assert not laptop.may_renew()
    assert log() == [("user", "password_changed", "session")]


def test_device_that_changed_it_goes_on_with_new_tokens(user):
    phone = Phone()
    old = phone.access
    phone.hold(change(phone).data)
    assert phone.standing() == "live"
    assert phone.standing(old) == "revoked"
    assert phone.may_renew()


def test_tokens_stolen_from_the_device_that_changed_it_are_dead(user):
    """Nothing survives inside the kept device: its session is another one."""
    phone = Phone()
    stolen = phone.refresh
    answer = change(phone)
    assert answer.data["session"] != phone.session_id
    refused = phone.post(AUTH + "token/refresh/", {"refresh": stolen})
    assert refused.status_code == 401


def test_kept_device_keeps_its_name(user):
    phone = Phone(device="Alice's phone")
    phone.hold(change(phone).data)
    assert [session["name"] for session in phone.get(AUTH + "sessions/").data] == ["Alice's phone"]


def test_save_anywhere_in_the_site_ends_every_device(user):
    phone = Phone()
    user.set_password(NEW)
    user.save()
    assert phone.standing() == "revoked"


def test_moment_of_the_change_is_recorded(user):
    phone = Phone()
    assert UserTokenState.objects.get().last_password_change is None
    start = timezone.now()
    change(phone)
    assert start <= UserTokenState.objects.get().last_password_change <= timezone.now()


def test_old_password_opens_nothing_and_the_new_one_does(user):
    phone = Phone()
    change(phone)
    assert phone.sign_in(PASSWORD).status_code == 401
    assert phone.sign_in(NEW).status_code == 200


def test_same_password_set_again_is_a_change(user):
    """Another salt: whoever resets to what they had means "log everybody else out"."""
    phone = Phone()
    account = get_user_model().objects.get(pk=user.pk)
    account.set_password(PASSWORD)
    account.save()
    assert phone.standing() == "revoked"
