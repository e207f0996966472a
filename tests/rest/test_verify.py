"""``POST token/verify/``: whether a token lives at this moment."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model

from jwt_revoke import api
from jwt_revoke.models import DeviceSession
from tests.wire import AUTH, assert_refused_token

URL = AUTH + "token/verify/"


def verify(client, token):
    return client.post(URL, {"token": token})


@pytest.mark.parametrize("which", ["access", "refresh_token"])
def test_a_live_token_is_200_and_empty(phone, anonymous, which):
    response = verify(anonymous, getattr(phone, which))
    assert (response.status_code, response.json()) == (200, {})


def test_a_refresh_token_is_not_rotated(phone, anonymous):
    verify(anonymous, phone.refresh_token)
    assert phone.device_session.refresh_counter == 0


@pytest.mark.parametrize("which", ["access", "refresh_token"])
def test_a_token_of_an_ended_session_is_401(phone, anonymous, which):
    api.end_session(phone.session_id)
    assert_refused_token(verify(anonymous, getattr(phone, which)), "revoked")


def test_a_superseded_refresh_token_is_401_even_within_the_grace(phone, anonymous):
    old = phone.refresh_token
    phone.refresh_tokens()
    assert_refused_token(verify(anonymous, old), "revoked")


def test_asking_about_a_superseded_refresh_token_ends_nothing(phone, anonymous):
    old = phone.refresh_token
    phone.refresh_tokens()
    verify(anonymous, old)
    assert phone.standing == "live"


def test_a_refresh_token_of_a_held_session_is_401(phone, anonymous):
    from django.utils import timezone

    DeviceSession.objects.filter(pk=phone.session_id).update(held_at=timezone.now())
    assert_refused_token(verify(anonymous, phone.refresh_token), "revoked")


def test_a_denied_access_token_is_401(phone, anonymous):
    api.revoke_token(phone.access)
    assert_refused_token(verify(anonymous, phone.access), "stale")


def test_a_superseded_access_token_is_401(phone, user, anonymous):
    api.revoke_user(user, effect="access")
    assert_refused_token(verify(anonymous, phone.access), "stale")


def test_a_password_changed_past_every_signal_is_seen(phone, user, anonymous):
    get_user_model().objects.filter(pk=user.pk).update(password="md5$changed$by-raw-sql")
    assert_refused_token(verify(anonymous, phone.access), "stale")


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "A" * 76])
def test_what_is_no_token_of_ours_is_401(db, anonymous, token):
    assert_refused_token(verify(anonymous, token), "invalid")


def test_a_missing_token_is_400(db, anonymous):
    response = anonymous.post(URL, {})
    assert response.status_code == 400
    assert response.json() == {"token": ["This field is required."]}
