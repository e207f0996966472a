"""``POST reauthenticate/``: the password once more, for a new ``auth_time``."""

from __future__ import annotations

import time
from datetime import timedelta

from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.codec import decode_access
from jwt_revoke.keystore import key_ring
from jwt_revoke.models import DeviceSession, Revocation
from tests.conftest import PASSWORD
from tests.wire import AUTH, WRONG_PASSWORD, assert_no_credentials, assert_refused_header

URL = AUTH + "reauthenticate/"


def test_the_answer_holds_an_access_token_alone(phone):
    response = phone.post(URL, {"password": PASSWORD})
    assert response.status_code == 200
    assert response.json().keys() == {"access", "expires_in"}


def test_auth_time_is_now(phone):
    yesterday = timezone.now() - timedelta(days=1)
    DeviceSession.objects.filter(pk=phone.session_id).update(authenticated_at=yesterday)
    access = phone.post(URL, {"password": PASSWORD}).json()["access"]
    claims = decode_access(access, key_ring())
    assert time.time() - claims.auth_time < 60
    assert claims.sid == phone.session_id


def test_the_next_refresh_keeps_the_new_auth_time(phone):
    yesterday = timezone.now() - timedelta(days=1)
    DeviceSession.objects.filter(pk=phone.session_id).update(authenticated_at=yesterday)
    phone.post(URL, {"password": PASSWORD})
    phone.refresh_tokens()
    assert time.time() - decode_access(phone.access, key_ring()).auth_time < 60


def test_nothing_is_revoked(phone, laptop):
    phone.post(URL, {"password": PASSWORD})
    assert (phone.standing, laptop.standing) == ("live", "live")
    assert not Revocation.objects.exists()


def test_a_wrong_password_is_400_and_not_401(phone):
    """A 401 would send clients into a refresh loop."""
    response = phone.post(URL, {"password": "wrong"})
    assert response.status_code == 400
    assert response.json() == {"password": [WRONG_PASSWORD]}


def test_a_wrong_password_leaves_auth_time(phone):
    before = phone.device_session.authenticated_at
    phone.post(URL, {"password": "wrong"})
    assert phone.device_session.authenticated_at == before


def test_a_missing_password_is_400(phone):
    response = phone.post(URL, {})
    assert response.status_code == 400
    assert response.json() == {"password": ["This field is required."]}


def test_no_credentials_are_401(db, anonymous):
    assert_no_credentials(anonymous.post(URL, {"password": PASSWORD}))


def test_a_revoked_session_cannot_be_confirmed(phone):
    api.end_session(phone.session_id)
    assert_refused_header(phone.post(URL, {"password": PASSWORD}), "revoked")
