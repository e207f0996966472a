"""429 and 503 of the throttled endpoints."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache

from tests.conftest import PASSWORD, credentials, make_user
from tests.wire import AUTH

pytestmark = pytest.mark.usefixtures("empty_cache")

SIGN_IN = AUTH + "token/"


@pytest.fixture
def rate(settings):
    """``rate(scope="2/min")``."""

    def set_rates(**rates):
        configured = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
        settings.REST_FRAMEWORK = {
            **settings.REST_FRAMEWORK,
            "DEFAULT_THROTTLE_RATES": {**configured, **rates},
        }

    return set_rates


def statuses(call, times):
    return [call().status_code for _ in range(times)]


def test_sign_ins_are_counted_by_address(db, anonymous, rate):
    rate(jwt_revoke_token="2/min")
    calls = [anonymous.post(SIGN_IN, credentials(f"user{n}")) for n in range(3)]
    assert [call.status_code for call in calls] == [401, 401, 429]


def test_another_address_is_counted_apart(db, anonymous, rate):
    rate(jwt_revoke_token="1/min")
    anonymous.post(SIGN_IN, credentials())
    response = anonymous.post(SIGN_IN, credentials(), REMOTE_ADDR="192.0.2.1")
    assert response.status_code == 401


def test_sign_ins_are_counted_by_name_from_any_address(user, anonymous, rate):
    rate(jwt_revoke_token_user="2/min")
    calls = [
        anonymous.post(SIGN_IN, credentials(password="guess"), REMOTE_ADDR=f"192.0.2.{n}")
        for n in range(3)
    ]
    assert [call.status_code for call in calls] == [401, 401, 429]


def test_a_name_that_does_not_exist_is_counted_like_one_that_does(db, anonymous, rate):
    rate(jwt_revoke_token_user="1/min")
    assert statuses(lambda: anonymous.post(SIGN_IN, credentials("nobody")), 2) == [401, 429]


def test_an_address_that_has_had_its_share_uses_up_nobody_s_name(user, anonymous, rate):
    """Or one client could keep everybody out, at no cost but its own."""
    rate(jwt_revoke_token="1/min", jwt_revoke_token_user="2/min")
    assert statuses(lambda: anonymous.post(SIGN_IN, credentials("bob")), 1) == [401]
    assert statuses(lambda: anonymous.post(SIGN_IN, credentials()), 5) == [429] * 5
    owner = anonymous.post(SIGN_IN, credentials(), REMOTE_ADDR="192.0.2.1")
    assert owner.status_code == 200


def test_an_address_that_has_had_its_share_uses_up_nobody_s_password(phone, laptop, rate):
    rate(jwt_revoke_password="1/min", jwt_revoke_password_user="2/min")
    body, url = {"password": "guess"}, AUTH + "reauthenticate/"
    assert statuses(lambda: phone.post(url, body), 5) == [400] + [429] * 4
    owner = laptop.post(url, {"password": PASSWORD}, REMOTE_ADDR="192.0.2.1")
    assert owner.status_code == 200


def test_other_names_are_not_hindered(user, anonymous, rate):
    rate(jwt_revoke_token_user="1/min")
    make_user("bob")
    anonymous.post(SIGN_IN, credentials(password="guess"))
    assert anonymous.post(SIGN_IN, credentials("bob")).status_code == 200


def test_refreshes_are_counted_by_address(phone, rate):
    rate(jwt_revoke_refresh="1/min")
    url, body = AUTH + "token/refresh/", {"refresh": phone.refresh_token}
    assert statuses(lambda: phone.post(url, body), 2) == [200, 429]


@pytest.mark.parametrize("scope", ["jwt_revoke_password", "jwt_revoke_password_user"])
@pytest.mark.parametrize("path", ["password/change/", "reauthenticate/"])
def test_guesses_of_a_signed_in_thief_are_counted(phone, rate, scope, path):
    rate(**{scope: "1/min"})
    body = {"password": "x", "old_password": "x", "new_password": "y"}
    assert statuses(lambda: phone.post(AUTH + path, body), 2) == [400, 429]


def test_guesses_count_for_both_password_endpoints_together(phone, rate):
    rate(jwt_revoke_password_user="1/min")
    phone.post(AUTH + "reauthenticate/", {"password": "guess"})
    body = {"old_password": PASSWORD, "new_password": "a quite different passphrase"}
    assert phone.post(AUTH + "password/change/", body).status_code == 429


def test_a_429_says_how_long_to_wait(db, anonymous, rate):
    rate(jwt_revoke_token="1/min")
    anonymous.post(SIGN_IN, credentials())
    response = anonymous.post(SIGN_IN, credentials())
    assert response.status_code == 429
    assert response["Retry-After"] == "50"
    assert response["Cache-Control"] == "no-store"
    assert response.json() == {"detail": "Request was throttled. Expected available in 50 seconds."}


def test_a_429_is_in_the_log(db, anonymous, rate, caplog):
    """ASVS 5.0 V16.3.3. Django says it, with the request."""
    rate(jwt_revoke_token="0/min")
    with caplog.at_level("WARNING", "django.request"):
        response = anonymous.post(SIGN_IN, credentials())
    assert response.status_code == 429
    assert [(one.name, one.args[-1], one.status_code) for one in caplog.records] == [
        ("django.request", SIGN_IN, 429)
    ]


def test_the_next_window_counts_from_zero(db, anonymous, rate, monkeypatch):
    rate(jwt_revoke_token="1/min")
    assert statuses(lambda: anonymous.post(SIGN_IN, credentials()), 2) == [401, 429]
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert anonymous.post(SIGN_IN, credentials()).status_code == 401


def test_a_scope_without_a_rate_is_not_counted(db, anonymous, settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {}}
    assert statuses(lambda: anonymous.post(SIGN_IN, credentials()), 3) == [401] * 3


def test_a_rate_of_zero_lets_nobody_in(user, anonymous, rate):
    """As REST framework's own throttles read it: the endpoint is switched off."""
    rate(jwt_revoke_token="0/min")
    assert anonymous.post(SIGN_IN, credentials()).status_code == 429


@pytest.mark.parametrize(
    "path", ["token/", "token/refresh/", "password/change/", "reauthenticate/"]
)
def test_a_cache_that_is_away_is_503(phone, settings, path):
    """Not counted is not allowed."""
    settings.CACHES = {
        "default": {"BACKEND": "tests.rest.test_throttles.BrokenCache", "LOCATION": "x"}
    }
    response = phone.post(AUTH + path, {})
    assert response.status_code == 503
    assert response["Retry-After"] == "1"
    assert response["Cache-Control"] == "no-store"


def test_the_name_is_kept_in_the_cache_as_a_hash_alone(db, anonymous, rate):
    rate(jwt_revoke_token_user="9/min")
    anonymous.post(SIGN_IN, credentials("alice@example.org"))
    assert "alice" not in repr(cache._cache)
    assert cache._cache


@pytest.mark.parametrize(
    "spelling",
    ["ALICE", " alice ", "\talice", "alice" + " " * 300, "ａｌｉｃｅ"],  # noqa: RUF001  (the point of it)
)
def test_another_spelling_of_the_name_is_the_same_name(user, anonymous, rate, spelling):
    """The field trims spaces, and MariaDB compares without case, width and accents: each of
    these may reach the same account, so none is a new allowance of guesses."""
    rate(jwt_revoke_token_user="1/min")
    anonymous.post(SIGN_IN, credentials(password="guess"))
    response = anonymous.post(SIGN_IN, credentials(spelling, password="guess"))
    assert response.status_code == 429


@pytest.mark.parametrize("ignored", ["\u0301", "\u200b", "\u00ad", "\u2060"])
def test_characters_that_a_collation_ignores_do_not_make_a_new_name(user, anonymous, rate, ignored):
    rate(jwt_revoke_token_user="1/min")
    anonymous.post(SIGN_IN, credentials(password="guess"))
    response = anonymous.post(SIGN_IN, credentials(f"al{ignored}ice", password="guess"))
    assert response.status_code == 429


def test_a_name_sent_as_a_number_is_counted_like_its_text(db, anonymous, rate):
    """The field takes a JSON number for its text."""
    rate(jwt_revoke_token_user="1/min")
    make_user("12345")
    anonymous.post(SIGN_IN, credentials("12345", password="guess"))
    body = {get_user_model().USERNAME_FIELD: 12345, "password": PASSWORD}
    assert anonymous.post(SIGN_IN, body).status_code == 429


class BrokenCache:
    """A cache whose server does not answer."""

    def __init__(self, location, params):
        pass

    def __getattr__(self, name):
        raise ConnectionError("no cache there")

    def close(self, **kwargs):
        pass
