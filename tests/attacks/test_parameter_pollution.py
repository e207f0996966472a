"""A field twice, or from elsewhere, is read alike by all who read it (ASVS 5.0 V15.3.7)."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.contrib.auth import get_user_model

from tests.conftest import PASSWORD, credentials
from tests.wire import AUTH

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("empty_cache")]

SIGN_IN = AUTH + "token/"
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


def test_a_name_sent_twice_wins_no_guesses(user, anonymous, settings):
    """The throttle would count the one, and the sign-in try the other."""
    rates = {**settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], "jwt_revoke_token_user": "3/day"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}
    name = get_user_model().USERNAME_FIELD
    bodies = [
        urlencode([(name, other), (name, "alice"), ("password", "wrong")])
        for other in ("one", "two", "three", "four")
    ]
    answers = [anonymous.generic("POST", SIGN_IN, body, content_type=FORM) for body in bodies]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]


def test_a_name_sent_twice_in_json_is_no_json(user, anonymous):
    name = get_user_model().USERNAME_FIELD
    body = f'{{"{name}": "bob", "{name}": "alice", "password": "{PASSWORD}"}}'
    response = anonymous.generic("POST", SIGN_IN, body, content_type=JSON)
    assert response.status_code == 400
    assert response.json() == {"detail": "JSON parse error - a name twice"}


IN_THE_URL = pytest.mark.leaks("a client puts it into the URL", "URL", "log record")


@IN_THE_URL
@pytest.mark.parametrize("content_type", [FORM, JSON])
def test_a_field_in_the_url_is_no_field(user, anonymous, content_type):
    """V14.2.1: URLs are logged, and a password among them would work unnoticed."""
    url = f"{SIGN_IN}?{urlencode(credentials())}"
    empty = "{}" if content_type == JSON else ""
    response = anonymous.generic("POST", url, empty, content_type=content_type)
    assert response.status_code == 400
    assert response.json().keys() == credentials().keys()


@IN_THE_URL
def test_a_field_in_the_url_does_not_outvote_the_body(user, anonymous):
    url = f"{SIGN_IN}?{urlencode(credentials(password='wrong'))}"
    assert anonymous.post(url, credentials(password=PASSWORD)).status_code == 200
    url = f"{SIGN_IN}?{urlencode(credentials())}"
    assert anonymous.post(url, credentials(password="wrong")).status_code == 401


def test_a_field_in_a_cookie_is_no_field(phone, anonymous):
    """No cookie authenticates here, so that no form of another site's does."""
    anonymous.cookies.load({"refresh": phone.refresh_token, **credentials()})
    assert anonymous.post(SIGN_IN, {}).status_code == 400
    assert anonymous.post(AUTH + "token/refresh/", {}).status_code == 400
    assert phone.standing == "live"
