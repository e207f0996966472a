"""``POST token/blacklist/``: simplejwt's log-out."""

from __future__ import annotations

from jwt_revoke import api
from tests.wire import AUTH, assert_refused_token

URL = AUTH + "token/blacklist/"


def test_the_answer_is_200_and_empty(phone, anonymous):
    response = anonymous.post(URL, {"refresh": phone.refresh_token})
    assert (response.status_code, response.json()) == (200, {})


def test_the_whole_session_ends(phone, anonymous):
    anonymous.post(URL, {"refresh": phone.refresh_token})
    assert phone.standing == "revoked"
    assert phone.device_session.end_reason == "logout"


def test_other_sessions_live_on(phone, laptop, anonymous):
    anonymous.post(URL, {"refresh": phone.refresh_token})
    assert laptop.standing == "live"


def test_a_second_time_is_401(phone, anonymous):
    anonymous.post(URL, {"refresh": phone.refresh_token})
    assert_refused_token(anonymous.post(URL, {"refresh": phone.refresh_token}), "revoked")


def test_what_is_no_refresh_token_is_401(phone, anonymous):
    assert_refused_token(anonymous.post(URL, {"refresh": phone.access}), "invalid")


def test_a_missing_token_is_400(db, anonymous):
    response = anonymous.post(URL, {})
    assert response.status_code == 400
    assert response.json() == {"refresh": ["This field is required."]}


def test_a_session_that_is_over_by_a_floor_is_401(phone, anonymous):
    api.revoke_everyone()
    answer = anonymous.post(AUTH + "token/blacklist/", {"refresh": phone.refresh_token})
    assert answer.status_code == 401
