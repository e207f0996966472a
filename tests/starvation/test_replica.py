"""A flood of checks while what the replica follows is slow: nothing grows with the flood."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.db import connection, transaction

from jwt_revoke.models import Revocation
from jwt_revoke.testing import Device
from tests import services
from tests.services.redis import Redis
from tests.starvation.conftest import SERVED, THREADS, WORKERS, Site
from tests.starvation.crowd import PATIENCE, Answer, crowd, figures, request

pytestmark = SERVED

CLIENTS = 64
BACKEND = "jwt_revoke.backends.replica.ReplicaBackend"
BOUNDED = {"OPTIONS": {"connect_timeout": 10, "options": "-c statement_timeout=500"}}
"""As docs/operations.md asks for."""
AT_WORK = 6
"""Threads beside those that answer: gunicorn's, the replica's two."""


def flood(site: Site, device: Device) -> list[Answer]:
    """Of checks, each of which wants a read that began after it did."""
    share = [request("/api/ping/", token=device.access)]
    answers = [answer for (answer,) in crowd(site.port, [share] * CLIENTS)]
    figures("checks", answers)
    assert max(int(answer.headers["x-threads"]) for answer in answers) <= THREADS + AT_WORK
    return answers


def until_followed(site: Site, device: Device) -> None:
    """Every process has loaded the log, and answers by it."""
    ready: dict[str, str] = {}
    deadline = time.monotonic() + PATIENCE
    while list(ready.values()).count("True") < WORKERS:
        assert time.monotonic() < deadline, ready
        ready |= {
            answer.headers["x-worker"]: answer.headers["x-ready"]
            for (answer,) in crowd(
                site.port, [[request("/api/ping/", token=device.access)]] * WORKERS * 4
            )
        }


def connections_to_the_database() -> int:
    """But this one. Another site of the suite's may be up, which is asked nothing meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        found: int = cursor.fetchone()[0]
        return found


@pytest.mark.redis
def test_a_flood_while_redis_hangs_is_answered_by_the_database(
    serve: Callable[..., Site], redis: Redis, phone: Device
) -> None:
    """One waits for Redis, and the others for it, no longer than they may."""
    others = connections_to_the_database()
    with services.proxy(redis.port) as wire:
        location = redis.url_at(wire.port)
        site = serve(
            {"BACKEND": BACKEND, "OPTIONS": {"log": "redis"}},
            cache={"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location},
        )
        until_followed(site, phone)
        wire.hang()
        try:
            answers = flood(site, phone)
            with redis.client() as client:
                # One that reads, one that publishes, one that the thread behind tries anew.
                assert len(client.client_list()) <= 1 + WORKERS * 3
        finally:
            wire.heal()

    assert {answer.status for answer in answers} == {200}
    assert connections_to_the_database() - others <= WORKERS * (THREADS + 3)


def test_a_flood_while_the_log_cannot_be_read_is_told_to_come_again(
    serve: Callable[..., Site], phone: Device
) -> None:
    """Invariant 4: neither an answer that nobody knows, nor a wait without an end."""
    others = connections_to_the_database()
    site = serve({"BACKEND": BACKEND, "OPTIONS": {"timeout": 0.1}}, database=BOUNDED)
    until_followed(site, phone)

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {Revocation._meta.db_table}")
        answers = flood(site, phone)
        ours = connections_to_the_database() - others

    assert {answer.status for answer in answers} == {503}
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}
    assert ours <= WORKERS * (THREADS + 3)
    until_followed(site, phone)
    ((answer,),) = crowd(site.port, [[request("/api/ping/", token=phone.access)]])
    assert answer.status == 200
