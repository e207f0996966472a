"""``POST logout/all/``: every device, or every other one."""

from __future__ import annotations

import time

import pytest

from jwt_revoke import api
from jwt_revoke.models import Revocation
from tests.attacks.forging import forged
from tests.conftest import make_user
from tests.wire import AUTH, assert_no_credentials, assert_refused_header

URL = AUTH + "logout/all/"
KEEP = {"keep_current": True}


def test_every_device_is_out(phone, laptop):
    response = phone.post(URL)
    assert (response.status_code, response.content) == (204, b"")
    assert (phone.standing, laptop.standing) == ("revoked", "revoked")


def test_nobody_else_is_out(phone, sign_in):
    other = sign_in(make_user("bob"))
    phone.post(URL)
    assert other.standing == "live"


@pytest.mark.parametrize("body", [{}, {"keep_current": False}])
def test_keep_current_is_off_unless_asked_for(phone, body):
    assert phone.post(URL, body).status_code == 204


def test_the_log_names_the_reason_and_the_actor(phone, user):
    phone.post(URL)
    entry = Revocation.objects.get()
    assert (entry.reason, entry.actor) == ("logout_all", str(user.pk))


def test_asked_again_after_a_lost_answer_it_is_204(phone):
    phone.post(URL)
    assert phone.post(URL).status_code == 204


def test_asked_again_nothing_more_is_revoked(phone, user, sign_in):
    """The retry of an old device must not end what was opened since."""
    phone.post(URL)
    tablet = sign_in(user)
    phone.post(URL)
    assert tablet.standing == "live"


def test_a_token_of_a_device_logged_out_by_itself_ends_nobody_else(phone, laptop):
    """A thief's dead token would end sessions for ever."""
    api.end_session(phone.session_id)
    assert_refused_header(phone.post(URL), "revoked")
    assert laptop.standing == "live"


def test_an_expired_token_ends_nothing(phone, laptop, monkeypatch):
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    assert_refused_header(phone.post(URL), "expired")
    assert laptop.device_session.ended_at is None


def test_a_stale_token_is_told_to_refresh(phone, user):
    api.revoke_user(user, effect="access")
    assert_refused_header(phone.post(URL), "stale")


def test_no_credentials_are_401_without_an_error_code(db, anonymous):
    assert_no_credentials(anonymous.post(URL))


def test_a_broken_token_is_401(db, anonymous):
    assert_refused_header(anonymous.post(URL, HTTP_AUTHORIZATION="Bearer a.b.c"), "invalid")


def test_a_refresh_token_in_the_header_is_401(phone, anonymous):
    header = f"Bearer {phone.refresh_token}"
    assert_refused_header(anonymous.post(URL, HTTP_AUTHORIZATION=header), "invalid")


def test_keep_current_answers_new_tokens(phone):
    response = phone.post(URL, KEEP)
    assert response.status_code == 200
    assert response.json().keys() == {"access", "refresh", "expires_in", "session"}


def test_keep_current_ends_the_others(phone, laptop):
    phone.post(URL, KEEP)
    assert laptop.standing == "revoked"


def test_keep_current_opens_a_new_session_of_the_same_name(phone, anonymous):
    """What was stolen before does not survive inside the kept session."""
    body = phone.post(URL, KEEP).json()
    assert body["session"] != str(phone.session_id)
    assert phone.standing == "revoked"
    access = f"Bearer {body['access']}"
    (session,) = anonymous.get(AUTH + "sessions/", HTTP_AUTHORIZATION=access).json()
    assert (session["id"], session["name"]) == (body["session"], "phone")


def test_keep_current_kills_the_old_refresh_token(phone):
    phone.post(URL, KEEP)
    response = phone.post(AUTH + "token/refresh/", {"refresh": phone.refresh_token})
    assert response.status_code == 401


def test_keep_current_asked_again_with_the_dead_token_is_401(phone):
    """Who lost the answer signs in again: a dead token gets nobody new ones."""
    phone.post(URL, KEEP)
    assert_refused_header(phone.post(URL, KEEP), "revoked")


def test_keep_current_that_is_no_boolean_is_400(phone):
    response = phone.post(URL, {"keep_current": "perhaps"})
    assert response.status_code == 400
    assert response.json() == {"keep_current": ["Must be a valid boolean."]}
    assert phone.standing == "live"


@pytest.mark.database  # each refuses such a key in its own way
@pytest.mark.parametrize("sub", ["abc", " 1", "9" * 200])
def test_a_token_whose_sub_is_no_key_is_no_error(anonymous, phone, sub):
    anonymous.credentials(HTTP_AUTHORIZATION=f"Bearer {forged(phone.access, sub=sub)}")
    assert anonymous.post(AUTH + "logout/all/").status_code in {204, 401}
