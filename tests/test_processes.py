"""The processes of the site, as each last reported itself."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import processes
from jwt_revoke.database import DatabaseNow
from jwt_revoke.models import ReplicaProcess

pytestmark = [pytest.mark.django_db, pytest.mark.database]

FIGURES = {
    "log": "database",
    "max_staleness": 0.25,
    "age": 0.1,
    "sequence": 7,
    "behind": 0,
    "entries": 3,
    "fallbacks": 1,
    "reads": 9,
}


def report(key: UUID, **figures: Any) -> ReplicaProcess:
    processes.report("default", key, timezone.now(), {**FIGURES, **figures})
    return ReplicaProcess.objects.get(pk=key)


def seen_ago(row: ReplicaProcess, **ago: float) -> None:
    ReplicaProcess.objects.filter(pk=row.pk).update(seen_at=DatabaseNow() - timedelta(**ago))


def live() -> list[UUID]:
    return [row.pk for row in processes.live("default")]


@pytest.fixture(params=[("UTC", True), ("Asia/Tokyo", True), ("Asia/Tokyo", False)])
def zone(request: pytest.FixtureRequest, settings: Any) -> None:
    settings.TIME_ZONE, settings.USE_TZ = request.param


def test_a_report_says_whose_it_is() -> None:
    row = report(uuid4())

    assert row.pid == os.getpid()
    assert row.host
    assert str(row) == f"{row.host}:{row.pid}"


def test_a_report_replaces_the_one_before() -> None:
    key = uuid4()
    report(key)

    assert report(key, sequence=8).sequence == 8
    assert ReplicaProcess.objects.count() == 1


def test_a_later_report_is_one_statement() -> None:
    key = uuid4()
    report(key)

    with CaptureQueriesContext(connection) as captured:
        processes.report("default", key, timezone.now(), FIGURES)

    assert [query["sql"].split()[0] for query in captured] == ["UPDATE"]


def test_a_process_is_live_while_it_reports(zone: None) -> None:
    here, gone = report(uuid4()), report(uuid4())
    seen_ago(here, seconds=14)
    seen_ago(gone, seconds=16)

    assert live() == [here.pk]


def test_a_process_long_gone_is_forgotten(zone: None) -> None:
    kept, old = report(uuid4()), report(uuid4())
    seen_ago(kept, minutes=59)
    seen_ago(old, minutes=61)

    assert processes.forget("default") == 1
    assert [row.pk for row in ReplicaProcess.objects.all()] == [kept.pk]


def test_many_are_forgotten_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_AT_ONCE", 2)
    for _ in range(5):
        seen_ago(report(uuid4()), hours=2)

    assert processes.forget("default") == 5
    assert processes.forget("default") == 0


@pytest.mark.parametrize(("age", "idle"), [(None, False), (5.2, False), (5.3, True)])
def test_a_copy_older_than_any_check_allows_is_idle(age: float | None, idle: bool) -> None:
    assert processes.is_idle(age, 0.25) is idle


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_an_id_of_its_own() -> None:
    mine = processes.this_process.id
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, processes.this_process.id.bytes)
        os._exit(0)
    os.waitpid(child, 0)
    theirs = UUID(bytes=os.read(reading, 16))
    os.close(reading)
    os.close(writing)

    assert theirs != mine
    assert processes.this_process.id == mine
