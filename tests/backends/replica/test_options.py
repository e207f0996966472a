"""``OPTIONS`` of the replica: what they may be, and what is said of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from jwt_revoke.backends.replica.options import Options


def ids(**given: Any) -> list[str]:
    return [str(message.id) for message in Options.of(given).system_checks()]


def test_by_default_it_is_strict_and_needs_nothing() -> None:
    assert Options.of({}) == Options(
        max_staleness=0.0,
        log="database",
        alias="default",
        stream="{jwt_revoke}:log",
        fallback="database",
        reconcile_interval=1.0,
        timeout=0.3,
        listen=False,
    )


def test_durations_may_be_timedeltas() -> None:
    assert Options.of({"max_staleness": timedelta(milliseconds=250)}).max_staleness == 0.25


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_staleness", -1),
        ("max_staleness", "1"),
        ("max_staleness", True),
        ("max_staleness", None),
        ("log", "kafka"),
        ("alias", ""),
        ("alias", None),
        ("stream", ""),
        ("stream", 7),
        ("fallback", "redis"),
        ("reconcile_interval", 0),
        ("reconcile_interval", 5.1),
        ("timeout", 0),
        ("timeout", 11),
        ("listen", "yes"),
    ],
)
def test_a_value_that_will_not_do_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"'{name}'"):
        Options.of({name: value})


def test_a_log_in_redis_needs_a_cache_in_redis() -> None:
    with pytest.raises(ImproperlyConfigured, match="django_redis"):
        Options.of({"log": "redis"})


@pytest.mark.database
def test_listening_needs_postgresql(db: None) -> None:
    expected = [] if connection.vendor == "postgresql" else ["jwt_revoke.E301"]
    assert ids(listen=True, max_staleness=30) == expected


@pytest.mark.postgresql
def test_listening_has_no_use_for_a_strict_replica(db: None) -> None:
    if connection.vendor == "postgresql":
        assert ids(listen=True) == ["jwt_revoke.W303"]


def test_psycopg2_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no way to bound a wait, and cannot listen."""

    class Wrapper:
        vendor = "postgresql"
        Database = object()

    monkeypatch.setattr("jwt_revoke.backends.replica.options.connections", {"default": Wrapper()})
    assert ids() == ["jwt_revoke.W302"]
    assert ids(listen=True, max_staleness=30) == ["jwt_revoke.E301"]
