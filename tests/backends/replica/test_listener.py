"""LISTEN/NOTIFY: a replica with a long bound hears at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import OperationalError, connection

from jwt_revoke import api
from jwt_revoke.backends.replica import listener as module
from jwt_revoke.backends.replica.listener import CHANNEL, Listener, notify
from jwt_revoke.backends.replica.state import NEVER
from jwt_revoke.exceptions import TokenRevoked, Unavailable
from jwt_revoke.testing import Device
from tests.backends.contract import claims_of
from tests.backends.replica.following import PATIENCE, until, until_ready

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
]


@pytest.fixture(autouse=True)
def on_postgresql(db: None) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL")


@pytest.fixture
def heard() -> Any:
    """An event set by each wake-up, and a listener that is listening."""
    event = threading.Event()
    listener = Listener("default", event.set)
    assert event.wait(PATIENCE)
    event.clear()
    yield event
    listener.close()
    assert not listener._thread.is_alive()


def test_a_notification_wakes(heard: threading.Event) -> None:
    notify("default")
    assert heard.wait(PATIENCE)


def test_another_channel_does_not(heard: threading.Event) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}_of_somebody_else")
    assert not heard.wait(0.2)


def test_a_connection_that_is_lost_is_made_anew_and_wakes(
    heard: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was revoked meanwhile was not heard."""
    monkeypatch.setattr(module, "_PAUSE", 0.05)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%%'"
        )
    assert heard.wait(PATIENCE)


def test_a_database_that_cannot_be_reached_is_tried_again(
    heard: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.05)
    tries: list[int] = []

    def away(*_args: Any, **_kwargs: Any) -> Any:
        tries.append(1)
        raise Unavailable("away")

    monkeypatch.setattr(module, "LogConnection", away)
    other = Listener("default", heard.set)
    until(lambda: len(tries) >= 2)
    other.close()
    assert not heard.is_set()


def test_a_notice_that_cannot_be_sent_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The revocation is committed; the bound holds without it."""

    class Gone:
        def cursor(self) -> Any:
            raise OperationalError("gone")

    monkeypatch.setattr(module, "connections", {"default": Gone()})
    notify("default")


def test_a_replica_with_an_hour_s_bound_hears_of_a_revocation_at_once(
    replica: Any, phone: Device
) -> None:
    backend = replica(max_staleness=3600, listen=True)
    claims = claims_of(phone)
    until_ready(backend)
    until(lambda: backend._heard != NEVER)  # it is listening
    backend.check(claims)
    api.end_session(phone.session_id)

    def refused() -> bool:
        try:
            backend.check(claims)
        except TokenRevoked:
            return True
        return False

    until(refused)
    assert backend.fallbacks == 0
