"""s15: the state is checked at refresh only; access tokens stay stateless."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.core.checks import run_checks

from jwt_revoke import api
from tests.conftest import PASSWORD
from tests.strategies.over_http import AUTH, Phone, step_clock, stop_clock

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stateless")]


def log_out(phone, user):
    assert phone.post(AUTH + "logout/").status_code == 204


def log_out_everywhere(phone, user):
    assert phone.post(AUTH + "logout/all/").status_code == 204


def change_password(phone, user):
    other = Phone(device="laptop")
    body = {"old_password": PASSWORD, "new_password": "another of 16 letters"}
    assert other.post(AUTH + "password/change/", body).status_code == 200


def suspend(phone, user):
    user.is_active = False
    user.save()


def delete_account(phone, user):
    user.delete()


def revoke_everyone(phone, user):
    api.revoke_everyone()


@pytest.mark.parametrize(
    "revoke",
    [log_out, log_out_everywhere, change_password, suspend, delete_account, revoke_everyone],
)
def test_access_token_lives_on_and_refresh_refuses(user, revoke, monkeypatch):
    phone = Phone()
    revoke(phone, user)
    assert phone.standing() == "live"
    assert phone.renew().status_code == 401
    step_clock(monkeypatch, 301)
    assert phone.standing() == "expired"


def test_token_lives_until_it_expires_and_no_longer(user, monkeypatch):
    phone = Phone()
    api.revoke_user(user)
    stop_clock(monkeypatch, phone.claims["iat"] + 299.9)
    assert phone.standing() == "live"
    stop_clock(monkeypatch, phone.claims["iat"] + 300)
    assert phone.standing() == "expired"


def test_request_asks_the_database_nothing(user, django_assert_num_queries):
    phone = Phone()
    with django_assert_num_queries(0):
        assert phone.standing() == "live"


def test_refresh_goes_on_while_the_session_lives(user):
    phone = Phone()
    assert phone.may_renew()
    assert phone.standing() == "live"


def test_verify_tells_the_truth_all_the_same(user):
    phone = Phone()
    api.revoke_user(user)
    assert phone.post(AUTH + "token/verify/", {"token": phone.access}).status_code == 401


def test_first_need_of_the_account_finds_that_it_is_suspended(user):
    """The user is loaded then, and has to be active and to have that password."""
    phone = Phone()
    get_user_model().objects.update(is_active=False)
    assert phone.get("/api/ping/").status_code == 200
    assert phone.get("/api/me/").status_code == 401


def test_check_says_loudly_what_it_does_not_do():
    (warning,) = [message for message in run_checks() if message.id == "jwt_revoke.W301"]
    assert "works on for up to 5 minutes" in warning.msg
    assert "ReplicaBackend" in warning.hint
