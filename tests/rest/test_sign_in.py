"""``POST token/``: username and password for the tokens of a new session."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model

from jwt_revoke.models import DeviceSession
from tests.conftest import PASSWORD, credentials, make_user
from tests.wire import AUTH, NO_ACTIVE_ACCOUNT, NO_ERROR

URL = AUTH + "token/"
HAS_IS_ACTIVE = any(field.name == "is_active" for field in get_user_model()._meta.fields)


def test_the_answer_holds_both_tokens_and_the_session(user, anonymous):
    response = anonymous.post(URL, credentials())
    assert response.status_code == 200
    assert response.json().keys() == {"access", "refresh", "expires_in", "session"}


def test_expires_in_is_the_life_of_the_access_token_in_seconds(user, anonymous):
    assert anonymous.post(URL, credentials()).json()["expires_in"] == 300


def test_session_is_the_id_of_the_new_session(user, anonymous):
    session = anonymous.post(URL, credentials()).json()["session"]
    assert str(DeviceSession.objects.get(user_id=user.pk).pk) == session


def test_the_access_token_opens_the_api(user, anonymous):
    access = anonymous.post(URL, credentials()).json()["access"]
    response = anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {access}")
    assert (response.status_code, response.json()) == (200, {"ok": True})


def test_the_device_is_called_what_the_client_says(user, anonymous):
    anonymous.post(URL, {**credentials(), "device": "Alice’s phone"})
    assert DeviceSession.objects.get(user_id=user.pk).name == "Alice’s phone"


def test_a_device_without_a_name_is_named_after_its_browser(user, anonymous):
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    anonymous.post(URL, credentials(), HTTP_USER_AGENT=agent)
    session = DeviceSession.objects.get(user_id=user.pk)
    assert session.name.startswith("Firefox, ")
    assert session.user_agent == agent


def test_each_sign_in_opens_a_session_of_its_own(user, anonymous):
    sessions = {anonymous.post(URL, credentials()).json()["session"] for _ in range(3)}
    assert len(sessions) == 3


def test_a_form_is_taken_as_well_as_json(user, anonymous):
    assert anonymous.post(URL, credentials(), format="multipart").status_code == 200


def test_a_dead_token_in_the_header_does_not_stop_a_sign_in(user, anonymous):
    response = anonymous.post(URL, credentials(), HTTP_AUTHORIZATION="Bearer a.b.c")
    assert response.status_code == 200


def test_no_csrf_token_is_asked_for(user):
    from rest_framework.test import APIClient

    client = APIClient(enforce_csrf_checks=True)
    assert client.post(URL, credentials()).status_code == 200


@pytest.mark.parametrize("missing", ["password", "username"])
def test_a_missing_field_is_400_and_names_the_field(db, anonymous, missing):
    body = credentials()
    field = "password" if missing == "password" else get_user_model().USERNAME_FIELD
    del body[field]
    response = anonymous.post(URL, body)
    assert response.status_code == 400
    assert response.json() == {field: ["This field is required."]}


def test_a_device_name_of_more_than_100_characters_is_400(user, anonymous):
    response = anonymous.post(URL, {**credentials(), "device": "x" * 101})
    assert response.status_code == 400
    assert response.json().keys() == {"device"}


def test_a_wrong_password_is_401_without_an_error_code(user, anonymous):
    """RFC 6750 §3.1: the error codes are about tokens, and there is none."""
    response = anonymous.post(URL, credentials(password="wrong"))
    assert response.status_code == 401
    assert response.json() == NO_ACTIVE_ACCOUNT
    assert response["WWW-Authenticate"] == NO_ERROR


def test_a_refused_sign_in_opens_no_session(user, anonymous):
    anonymous.post(URL, credentials(password="wrong"))
    assert not DeviceSession.objects.exists()


def test_a_password_is_taken_with_its_spaces(db, anonymous):
    user = make_user()
    user.set_password("  spaces on both sides  ")
    user.save()
    response = anonymous.post(URL, credentials(password="  spaces on both sides  "))
    assert response.status_code == 200
    assert anonymous.post(URL, credentials(password=PASSWORD)).status_code == 401


@pytest.mark.skipif(not HAS_IS_ACTIVE, reason="the user model has no is_active")
def test_an_inactive_user_is_refused(db, anonymous):
    make_user(is_active=False)
    assert anonymous.post(URL, credentials()).status_code == 401


def test_at_the_session_limit_the_oldest_ends(user, anonymous, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "MAX_SESSIONS_PER_USER": 2}
    first, second, third = (anonymous.post(URL, credentials()).json() for _ in range(3))
    statuses = [
        anonymous.post(AUTH + "token/verify/", {"token": tokens["access"]}).status_code
        for tokens in (first, second, third)
    ]
    assert statuses == [401, 200, 200]


def test_at_the_session_limit_a_site_may_refuse_with_403(user, anonymous, settings):
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "MAX_SESSIONS_PER_USER": 1,
        "ON_SESSION_LIMIT": "refuse",
    }
    first = anonymous.post(URL, credentials()).json()
    response = anonymous.post(URL, credentials())
    assert response.status_code == 403
    assert response.json() == {
        "detail": "Too many devices are signed in. Sign out on one of them first."
    }
    verified = anonymous.post(AUTH + "token/verify/", {"token": first["access"]})
    assert verified.status_code == 200


def test_a_session_that_ended_leaves_room_at_the_limit(user, anonymous, settings):
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "MAX_SESSIONS_PER_USER": 1,
        "ON_SESSION_LIMIT": "refuse",
    }
    first = anonymous.post(URL, credentials()).json()
    anonymous.post(AUTH + "token/blacklist/", {"refresh": first["refresh"]})
    assert anonymous.post(URL, credentials()).status_code == 200


def test_the_access_token_never_outlives_the_session(user, anonymous, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SESSION_LIFETIME": timedelta(seconds=60)}
    before = time.time()
    body = anonymous.post(URL, credentials()).json()
    assert body["expires_in"] <= 60
    session = DeviceSession.objects.get(pk=body["session"])
    assert before + body["expires_in"] <= session.expires_at.timestamp() + 1


@pytest.fixture
def names_are_numbers(monkeypatch):
    """A site whose people sign in with a number."""
    monkeypatch.setattr(get_user_model(), "USERNAME_FIELD", "id")


@pytest.mark.parametrize("name", ["abc", "1.5", "9" * 40, "7b0c5b58-a797-42cf-8f94-f8ab7c37e66b"])
def test_a_name_that_the_column_cannot_hold_is_400(anonymous, user, names_are_numbers, name):
    answer = anonymous.post(AUTH + "token/", {"id": name, "password": PASSWORD})
    assert answer.status_code == 400
    assert set(answer.json()) == {"id"}


def test_people_may_sign_in_with_a_number(anonymous, user, names_are_numbers):
    answer = anonymous.post(AUTH + "token/", {"id": user.pk, "password": PASSWORD})
    assert answer.status_code == 200
