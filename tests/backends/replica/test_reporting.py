"""What a process that follows the log tells its operators, and what that costs nobody."""

from __future__ import annotations

import gc
import logging
import math
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from prometheus_client import REGISTRY

from jwt_revoke import api
from jwt_revoke.backends.base import get_backend
from jwt_revoke.backends.replica import ReplicaBackend, reporting
from jwt_revoke.backends.replica.state import NEVER
from jwt_revoke.backends.replica.stream import Stream, StreamLost
from jwt_revoke.models import ReplicaProcess, Revocation
from jwt_revoke.processes import this_process
from jwt_revoke.testing import Device
from tests.backends.contract import claims_of
from tests.backends.replica.following import check_by_copy, until, until_ready

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

PATIENCE = 10
AWAY = "redis://127.0.0.1:1/0"


def row() -> ReplicaProcess | None:
    return ReplicaProcess.objects.filter(pk=this_process.id).first()


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value(f"jwt_revoke_{name}")


def reporters() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "jwt_revoke reporter"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports many times a second."""
    monkeypatch.setattr(reporting, "_FIRST", 0.0)
    monkeypatch.setattr(reporting, "REPORT_INTERVAL", 0.05)


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread waits; the test has it report."""
    monkeypatch.setattr(reporting, "_FIRST", 3600.0)


# --- the row


def test_a_process_reports_once_it_has_loaded(replica: Any, quick: None, phone: Device) -> None:
    api.end_session(phone.session_id)
    backend = replica(max_staleness=30)
    until_ready(backend)

    found = until(row)

    assert (found.log, found.max_staleness) == ("database", 30)
    assert (found.entries, found.sequence, found.behind) == (1, 1, 0)
    assert 0 <= found.age < 30


def test_it_is_one_row_however_often(replica: Any, quick: None, phone: Device) -> None:
    until_ready(replica())
    first = until(row)

    again = until(lambda: (found := row()) and found.seen_at > first.seen_at and found)

    assert ReplicaProcess.objects.count() == 1
    assert again.started_at == first.started_at
    assert again.host == first.host


def test_a_row_that_somebody_deleted_comes_back(replica: Any, quick: None, phone: Device) -> None:
    until_ready(replica())
    until(row)
    ReplicaProcess.objects.all().delete()

    assert until(row)


def test_reads_and_fallbacks_are_counted(replica: Any, by_hand: None, phone: Device) -> None:
    backend, claims = replica(), claims_of(phone)
    backend.check(claims)
    check_by_copy(claims)

    backend._reporter._report()

    found = row()
    assert found is not None
    assert (found.reads, found.fallbacks) == (backend.reads, backend.fallbacks)
    assert found.reads >= 1
    assert found.fallbacks >= 1


def test_what_nobody_has_read_yet_is_behind(replica: Any, by_hand: None, phone: Device) -> None:
    backend = replica(max_staleness=30)
    until_ready(backend)
    api.end_session(phone.session_id)

    backend._reporter._report()

    found = row()
    assert found is not None
    assert (found.sequence, found.behind) == (0, 1)


def test_a_process_whose_log_cannot_be_read_says_so(
    replica: Any, by_hand: None, phone: Device
) -> None:
    backend = replica()
    until_ready(backend)
    backend._state.synced, backend._log.cursor = NEVER, None

    backend._reporter._report()

    found = row()
    assert found is not None
    assert (found.age, found.sequence, found.behind) == (None, None, None)


# --- the thread


def test_a_process_that_never_loads_never_reports(replica: Any, phone: Device) -> None:
    backend = replica()
    api.end_session(phone.session_id)

    assert backend._reporter is None
    assert reporters() == []


def test_no_request_writes(replica: Any, by_hand: None, phone: Device) -> None:
    """Invariant 7."""
    replica()
    check_by_copy(claims_of(phone))

    assert row() is None


def test_between_two_reports_it_holds_no_connection(
    replica: Any, by_hand: None, monkeypatch: pytest.MonkeyPatch, phone: Device
) -> None:
    """Else a database that is to be dropped would not be."""
    held: list[Any] = []
    report = reporting.report

    def noting(*args: Any) -> None:
        report(*args)
        held.append(connections["default"])

    backend = replica()
    until_ready(backend)
    monkeypatch.setattr(reporting, "report", noting)
    thread = threading.Thread(target=backend._reporter._report)
    thread.start()
    thread.join()

    assert [wrapper.connection for wrapper in held] == [None]
    assert held[0] is not connections["default"]


def test_what_fails_is_said_and_tried_again(
    replica: Any,
    quick: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    phone: Device,
) -> None:
    caplog.set_level(logging.INFO, "jwt_revoke")
    failures: Iterator[Exception] = iter([OperationalError("secret"), ValueError("secret")])
    report = reporting.report

    def failing(*args: Any) -> None:
        for failure in failures:
            raise failure
        report(*args)

    monkeypatch.setattr(reporting, "report", failing)
    until_ready(replica())

    assert until(row)
    said = [each.getMessage() for each in caplog.records if "Not reported" in each.getMessage()]
    assert said == ["Not reported: database: OperationalError", "Not reported: ValueError"]


def test_the_thread_ends_with_its_backend(replica: Any, settings: Any, phone: Device) -> None:
    until_ready(replica())
    (thread,) = reporters()

    settings.JWT_REVOKE = {**settings.JWT_REVOKE}

    assert not thread.is_alive()


def test_a_backend_that_nobody_has_any_more_is_not_reported(quick: None, phone: Device) -> None:
    backend = ReplicaBackend({})
    until_ready(backend)
    log = backend._log
    (thread,) = reporters()

    del backend
    gc.collect()

    thread.join(PATIENCE)
    assert not thread.is_alive()
    log.close()


def test_a_backend_that_was_closed_while_it_loaded_is_not_reported(
    replica: Any, phone: Device
) -> None:
    backend = replica()
    backend._background.closed = True
    backend._recover()

    assert backend._reporter is None
    assert not backend.ready


def test_without_another_thread_the_process_goes_unreported(
    replica: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        reporter = reporting.Reporter("default", get_backend().close)

    reporter.close()
    assert reporters() == []


def test_a_database_in_memory_is_left_alone(
    replica: Any, by_hand: None, monkeypatch: pytest.MonkeyPatch, phone: Device
) -> None:
    """A site's own tests: what another connection writes there locks the table for theirs."""
    backend = replica()
    until_ready(backend)
    memory = SimpleNamespace(vendor="sqlite", is_in_memory_db=lambda: True)
    with monkeypatch.context() as patch:
        patch.setattr(reporting, "_in_memory", lambda _connection: True)
        backend._reporter._report()

    assert row() is None
    assert reporting._in_memory(memory)
    assert not reporting._in_memory(connection)


# --- gauges


def test_the_gauges_follow_the_reports(replica: Any, by_hand: None, phone: Device) -> None:
    api.end_session(phone.session_id)
    backend = replica(max_staleness=30)
    until_ready(backend)

    backend._reporter._report()

    assert gauge("replica_entries") == 1
    assert gauge("log_sequence") == 1
    assert gauge("log_unnumbered") == 0
    assert 0 < (gauge("replica_age_seconds") or 0) < 30


def test_entries_without_a_number_are_counted(replica: Any, by_hand: None, phone: Device) -> None:
    backend = replica(max_staleness=30)
    until_ready(backend)
    api.end_session(phone.session_id)
    Revocation.objects.update(sequence=None)

    backend._reporter._report()

    assert gauge("log_unnumbered") == 1


@pytest.mark.parametrize(("age", "shown"), [(None, math.inf), (5.0, 5.0), (36.0, 0.0)])
def test_the_age_of_a_copy_is_what_a_check_may_meet(age: float | None, shown: float) -> None:
    """It grows while nobody asks, which is no cause for alarm; a copy that is none is one."""
    reporting._show({"age": age, "max_staleness": 30.0, "entries": 0})

    assert gauge("replica_age_seconds") == shown


def test_a_copy_that_is_none_is_shown_although_the_database_is_away(
    replica: Any, by_hand: None, monkeypatch: pytest.MonkeyPatch, phone: Device
) -> None:
    def away(_using: str) -> None:
        raise OperationalError

    backend = replica()
    until_ready(backend)
    monkeypatch.setattr(reporting, "log_figures", away)
    backend._state.synced = NEVER

    backend._reporter._report()

    assert gauge("replica_age_seconds") == math.inf


def test_reads_are_timed_and_fallbacks_counted(replica: Any, phone: Device) -> None:
    reads, fallbacks = gauge("log_read_seconds_count") or 0, gauge("fallbacks_total") or 0
    backend, claims = replica(), claims_of(phone)
    backend.check(claims)
    check_by_copy(claims)

    assert (gauge("log_read_seconds_count") or 0) - reads == backend.reads
    assert (gauge("fallbacks_total") or 0) - fallbacks == backend.fallbacks > 0


# --- what status says of the log


def test_the_database_s_log_has_its_bound(replica: Any) -> None:
    assert replica(max_staleness=0.25).figures("default") == {
        "Log followed": "database",
        "May be behind": "0.25 s",
    }


def test_redis_s_stream_is_compared_with_the_log(
    replica: Any, cache_in_redis: Any, phone: Device, laptop: Device
) -> None:
    backend = replica(log="redis")
    api.end_session(phone.session_id)
    api.end_session(laptop.session_id)

    shown = backend.figures("default")

    assert shown["Log followed"] == "redis"
    assert shown["Redis’s stream"] == "2 entries, the newest number 2; the log’s is 2"


def test_a_stream_that_is_not_there_is_said(replica: Any, cache_in_redis: Any) -> None:
    assert replica(log="redis").figures("default")["Redis’s stream"] == "there is none"


def test_a_redis_that_does_not_answer_is_said(replica: Any, settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": AWAY}}

    shown = replica(log="redis").figures("default")["Redis’s stream"]

    assert shown == "cannot be read: Redis: ConnectionError"


def test_a_stream_of_something_else_is_said(
    replica: Any, cache_in_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(self: Stream) -> None:
        raise StreamLost("not an entry of ours")

    monkeypatch.setattr(Stream, "newest", lost)

    shown = replica(log="redis").figures("default")["Redis’s stream"]

    assert shown == "cannot be read: not an entry of ours"
