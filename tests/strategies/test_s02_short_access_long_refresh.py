"""s02: a short access token and a longer refresh token."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.strategies.over_http import AUTH, Phone, step_clock, stop_clock

pytestmark = pytest.mark.django_db


def test_access_token_opens_for_five_minutes_by_default(user, monkeypatch):
    phone = Phone()
    assert phone.claims["exp"] - phone.claims["iat"] == 300
    stop_clock(monkeypatch, phone.claims["iat"] + 299.9)
    assert phone.standing() == "live"
    stop_clock(monkeypatch, phone.claims["iat"] + 300)
    assert phone.standing() == "expired"


def test_expired_access_token_is_renewed_without_a_password(user, monkeypatch):
    phone = Phone()
    step_clock(monkeypatch, 301)
    assert phone.renew().status_code == 200
    assert phone.standing() == "live"


def test_sign_in_says_how_long_the_access_token_lives(user, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "ACCESS_TOKEN_LIFETIME": timedelta(minutes=2)}
    answer = Phone().sign_in()
    assert answer.data["expires_in"] == 120


def test_lowering_the_lifetime_shortens_tokens_already_out(user, settings, monkeypatch):
    phone = Phone()
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "ACCESS_TOKEN_LIFETIME": timedelta(minutes=1)}
    step_clock(monkeypatch, 61)
    assert phone.standing() == "expired"


def test_raising_the_lifetime_lengthens_no_token_already_out(user, settings, monkeypatch):
    phone = Phone()
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "ACCESS_TOKEN_LIFETIME": timedelta(hours=1)}
    step_clock(monkeypatch, 301)
    assert phone.standing() == "expired"


def test_refresh_token_opens_no_view(user):
    phone = Phone()
    assert phone.standing(phone.refresh) == "invalid"


def test_access_token_renews_nothing(user):
    phone = Phone()
    answer = phone.post(AUTH + "token/refresh/", {"refresh": phone.access})
    assert answer.status_code == 401
