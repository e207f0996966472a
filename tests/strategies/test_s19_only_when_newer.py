"""s19: a stamp in memory; the database only when something is newer than it."""

from __future__ import annotations

import pytest

from jwt_revoke import api
from jwt_revoke.backends.replica import backend as module
from jwt_revoke.backends.replica.connection import LogConnection
from jwt_revoke.backends.replica.stream import Stream
from tests.strategies.over_http import Phone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(monkeypatch):
    """Every round trip for the log, by whom it went to."""
    seen = []

    def counting(owner, name, label):
        real = getattr(owner, name)

        def counted(self, *args):
            seen.append(label)
            return real(self, *args)

        monkeypatch.setattr(owner, name, counted)

    counting(LogConnection, "rows", "database")
    counting(Stream, "_ask", "redis")
    return seen


def step_boot_clock(monkeypatch, seconds):
    real = module.clock
    monkeypatch.setattr(module, "clock", lambda: real() + seconds)


def test_within_its_bound_a_request_asks_nobody(user, replica, asked, django_assert_num_queries):
    replica(max_staleness=3600)
    phone = Phone()
    asked.clear()
    with django_assert_num_queries(0):
        assert [phone.standing() for _ in range(5)] == ["live"] * 5
    assert asked == []


def test_past_its_bound_one_read_serves_until_the_next(
    user, replica, asked, monkeypatch, django_assert_num_queries
):
    replica(max_staleness=3600)
    phone = Phone()
    asked.clear()
    step_boot_clock(monkeypatch, 3601)
    with django_assert_num_queries(0):
        assert [phone.standing() for _ in range(5)] == ["live"] * 5
    assert asked == ["database"]


def test_revocation_is_seen_by_the_first_request_past_the_bound(user, replica, monkeypatch):
    """Invariant 1: within ``max_staleness`` and no later."""
    replica(max_staleness=3600)
    phone = Phone()
    assert phone.standing() == "live"
    api.end_session(phone.session_id)
    assert phone.standing() == "live"
    step_boot_clock(monkeypatch, 3601)
    assert phone.standing() == "revoked"


def test_strict_it_asks_the_log_once_and_no_row(user, replica, asked, django_assert_num_queries):
    replica()
    phone = Phone()
    asked.clear()
    with django_assert_num_queries(0):
        assert phone.standing() == "live"
    assert asked == ["database"]


def test_in_redis_it_asks_the_stream_once_and_no_database(
    user, cache_in_redis, replica, asked, django_assert_num_queries
):
    replica(log="redis", reconcile_interval=5)
    phone, laptop = Phone(), Phone(device="laptop")
    api.end_session(laptop.session_id)
    phone.standing()
    asked.clear()
    with django_assert_num_queries(0):
        assert phone.standing() == "live"
    assert asked == ["redis"]


def test_account_is_read_when_the_view_needs_it(user, replica, django_assert_num_queries):
    replica(max_staleness=3600)
    phone = Phone()
    with django_assert_num_queries(1):
        assert phone.get("/api/me/").json()["username"] == "alice"
