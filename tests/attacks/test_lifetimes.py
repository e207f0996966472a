"""A token's life: capped by today's settings, widened by the skew alone (RFC 8725 §3.8)."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from tests.attacks.forging import forged
from tests.wire import assert_refused_header


def ping(client, token):
    return client.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {token}")


@pytest.fixture
def after(monkeypatch):
    """``after(seconds)``: the process's clock, that long after now."""
    start = time.time()

    def go(seconds):
        monkeypatch.setattr(time, "time", lambda: start + seconds)

    return go


@pytest.fixture
def configure(settings):
    def change(**values):
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, **values}

    return change


def test_a_token_lives_to_its_expiry(phone, after):
    after(298)
    assert phone.get("/api/ping/").status_code == 200


def test_a_token_dies_at_its_expiry(phone, after):
    after(301)
    assert_refused_header(phone.get("/api/ping/"), "expired")


def test_lowering_the_lifetime_shortens_tokens_already_out(phone, after, configure):
    configure(ACCESS_TOKEN_LIFETIME=timedelta(seconds=60))
    after(58)
    assert phone.get("/api/ping/").status_code == 200
    after(61)
    assert_refused_header(phone.get("/api/ping/"), "expired")


def test_raising_the_lifetime_revives_no_token(phone, after, configure):
    """Invariant 6."""
    configure(ACCESS_TOKEN_LIFETIME=timedelta(hours=1))
    after(301)
    assert_refused_header(phone.get("/api/ping/"), "expired")


def test_an_expiry_in_the_far_future_is_capped(phone, anonymous, after):
    """A token made with more life than we give, by a leaked key or an old setting."""
    token = forged(phone.access, exp=int(time.time()) + 10**9)
    after(298)
    assert ping(anonymous, token).status_code == 200
    after(301)
    assert_refused_header(ping(anonymous, token), "expired")


def test_the_skew_widens_both_ends_of_the_cap(phone, after, configure):
    configure(LEEWAY=timedelta(seconds=10), ACCESS_TOKEN_LIFETIME=timedelta(seconds=60))
    after(68)
    assert phone.get("/api/ping/").status_code == 200
    after(71)
    assert_refused_header(phone.get("/api/ping/"), "expired")


def test_without_skew_there_is_none(phone, after):
    after(300.999)
    assert_refused_header(phone.get("/api/ping/"), "expired")


def test_a_token_of_a_clock_that_is_ahead_is_let_in(phone, anonymous):
    """Two servers of one site: an ``iat`` half a second ahead is no attack."""
    token = forged(phone.access, iat=int(time.time()) + 2)
    assert ping(anonymous, token).status_code == 200


def test_an_iat_in_the_future_gives_no_life_beyond_exp(phone, anonymous, after):
    token = forged(phone.access, iat=int(time.time()) + 10**6)
    after(301)
    assert_refused_header(ping(anonymous, token), "expired")


def test_a_clock_stepped_back_revives_no_ended_session(phone, after):
    """Invariant 6."""
    phone.post("/api/auth/logout/")
    after(-3600)
    assert_refused_header(phone.get("/api/ping/"), "revoked")
