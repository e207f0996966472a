"""What we ask of a database beyond the ORM, on the database at hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import (
    DatabaseError,
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)
from django.db.models import F, Value
from django.utils import timezone

from jwt_revoke import database
from jwt_revoke.database import (
    DatabaseNow,
    insert_missing,
    insert_select,
    is_transient,
    lock_rows,
    persistently,
    update_from,
)
from jwt_revoke.exceptions import Unavailable
from jwt_revoke.models import DeviceSession, Generation, LogCounter, Revocation
from jwt_revoke.testing import Device

pytestmark = pytest.mark.database

LOCKED = {
    "sqlite": OperationalError("database is locked"),
    "mysql": OperationalError(1213, "Deadlock found when trying to get lock"),
    "postgresql": OperationalError("deadlock detected"),
}


def deadlock() -> DatabaseError:
    """The error that the database at hand gives to the victim of a deadlock."""
    error = LOCKED[connection.vendor]
    cause = type("Deadlock", (Exception,), {"sqlstate": "40P01"})(*error.args)
    error.__cause__ = cause
    return error


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between attempts, noted instead of slept."""
    pauses: list[float] = []
    monkeypatch.setattr(database.time, "sleep", pauses.append)
    return pauses


class Failing:
    """Fails so many times, then returns what it was given."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.calls, self.error = times, 0, error

    def __call__(self, value: str = "done") -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return value


def test_the_clock_of_the_database_is_comparable_with_stored_times(phone: Device) -> None:
    rows = DeviceSession.objects.filter(pk=phone.session_id)
    rows.update(last_used_at=DatabaseNow())
    assert rows.filter(last_used_at__lte=DatabaseNow()).exists()
    assert abs(rows.get().last_used_at - timezone.now()) < timedelta(seconds=30)


def test_the_clock_of_the_database_reads_as_the_site_s_times_do(phone: Device) -> None:
    row = DeviceSession.objects.annotate(now=DatabaseNow()).get(pk=phone.session_id)
    assert row.now.utcoffset() == timedelta(0)
    assert abs(row.now - timezone.now()) < timedelta(seconds=30)


def test_the_clock_of_the_database_tells_less_than_a_second(phone: Device) -> None:
    """A grace or an expiry is not judged by whole seconds."""
    DeviceSession.objects.update(last_used_at=timezone.now() + timedelta(milliseconds=900))
    assert DeviceSession.objects.filter(last_used_at__gt=DatabaseNow()).exists()


@pytest.mark.mariadb
@pytest.mark.skipif(connection.vendor != "mysql", reason="only there a connection has a zone")
def test_a_connection_in_another_time_zone_falls_back_to_our_clock(
    phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MariaDB stores what Django sends; its UTC would be hours from that."""
    monkeypatch.setitem(connection.settings_dict, "TIME_ZONE", "Asia/Tokyo")
    for name in ("timezone", "timezone_name"):
        connection.__dict__.pop(name, None)
    try:
        row = DeviceSession.objects.annotate(now=DatabaseNow()).get(pk=phone.session_id)
        assert abs(row.now - timezone.now()) < timedelta(seconds=30)
    finally:
        for name in ("timezone", "timezone_name"):
            connection.__dict__.pop(name, None)


def test_inserting_a_missing_row_makes_it(db: None) -> None:
    insert_missing("default", Generation(pk=1, value=5))
    assert Generation.objects.get().value == 5


def test_inserting_a_row_that_is_there_changes_nothing(db: None) -> None:
    Generation.objects.create(pk=1, value=7)
    insert_missing("default", Generation(pk=1, value=5))
    assert Generation.objects.get().value == 7


def test_rows_are_copied_with_constants_and_expressions(db: None) -> None:
    for name in ("a", "b"):
        Group.objects.create(name=name)
    count = insert_select(
        "default", LogCounter, Group.objects.all(), {"id": F("pk"), "value": Value(4)}
    )
    assert count == 2
    assert set(LogCounter.objects.values_list("pk", "value")) == {
        (pk, 4) for pk in Group.objects.values_list("pk", flat=True)
    }


def test_copying_only_missing_rows_passes_over_the_others(db: None) -> None:
    there, missing = Group.objects.create(name="a"), Group.objects.create(name="b")
    LogCounter.objects.create(pk=there.pk, value=9)
    insert_select(
        "default", LogCounter, Group.objects.all(), {"id": F("pk"), "value": 4}, missing_only=True
    )
    assert dict(LogCounter.objects.values_list("pk", "value")) == {there.pk: 9, missing.pk: 4}


def test_copying_a_row_that_is_there_is_an_error_unless_asked_otherwise(db: None) -> None:
    there = Group.objects.create(name="a")
    LogCounter.objects.create(pk=there.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_select("default", LogCounter, Group.objects.all(), {"id": F("pk"), "value": 4})


def test_rows_are_updated_from_the_rows_they_are_joined_with(db: None) -> None:
    first, second = Group.objects.create(name="a"), Group.objects.create(name="b")
    for pk in (first.pk, second.pk):
        LogCounter.objects.create(pk=pk, value=1)
    source = Group.objects.filter(name="b").annotate(key=F("pk"), twice=F("pk") * 2)
    assert update_from("default", LogCounter, "id", source, {"value": "twice"}) == 1
    assert LogCounter.objects.get(pk=first.pk).value == 1
    assert LogCounter.objects.get(pk=second.pk).value == second.pk * 2


def test_a_joined_update_leaves_out_what_its_condition_leaves_out(
    phone: Device, laptop: Device
) -> None:
    DeviceSession.objects.filter(pk=phone.session_id).update(ended_at=timezone.now())
    source = DeviceSession.objects.annotate(key=F("pk"), why=Value("test"))
    where = "ended_at IS NULL"
    values = {"end_reason": "why"}
    assert update_from("default", DeviceSession, "id", source, values, where=where) == 1
    assert phone.device_session.end_reason == ""
    assert laptop.device_session.end_reason == "test"


def test_a_rising_update_makes_no_column_less(phone: Device, laptop: Device) -> None:
    DeviceSession.objects.filter(pk=phone.session_id).update(opened_version=2**60)
    source = DeviceSession.objects.annotate(key=F("pk"), new=Value(2**50))
    update_from("default", DeviceSession, "id", source, {"opened_version": "new"}, rising=True)
    assert phone.device_session.opened_version == 2**60
    assert laptop.device_session.opened_version == 2**50


def test_a_deadlock_is_worth_another_try() -> None:
    assert is_transient(deadlock(), connection.vendor)


@pytest.mark.parametrize(
    ("vendor", "error", "expected"),
    [
        ("sqlite", OperationalError("database is locked"), True),
        ("sqlite", OperationalError("database table is locked: x"), True),
        ("sqlite", OperationalError("disk I/O error"), False),
        ("sqlite", IntegrityError("locked"), False),
        ("mysql", OperationalError(1205, "Lock wait timeout exceeded"), True),
        ("mysql", OperationalError(1020, "Record has changed since last read"), True),
        ("mysql", OperationalError(2006, "MySQL server has gone away"), False),
        ("mysql", OperationalError(), False),
        ("postgresql", OperationalError("connection refused"), False),
    ],
)
def test_which_errors_are_worth_another_try(
    vendor: str, error: DatabaseError, expected: bool
) -> None:
    assert is_transient(error, vendor) is expected


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "55P03", "23505"])
def test_postgresql_is_judged_by_its_code(sqlstate: str) -> None:
    error = OperationalError("in whatever language")
    error.__cause__ = type("Cause", (Exception,), {"sqlstate": sqlstate})()
    assert is_transient(error, "postgresql") is (sqlstate != "23505")


@pytest.mark.django_db(transaction=True)
def test_what_lost_a_deadlock_is_tried_again(no_pause: list[float]) -> None:
    action = Failing(3, deadlock())
    assert persistently("default", action, value="in the end") == "in the end"
    assert action.calls == 4


@pytest.mark.django_db(transaction=True)
def test_attempts_are_bounded_and_end_in_503(no_pause: list[float]) -> None:
    action = Failing(100, deadlock())
    with pytest.raises(Unavailable):
        persistently("default", action)
    assert action.calls == 6
    assert sum(no_pause) < 1.5


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [OperationalError("gone away"), InterfaceError("closed")])
def test_a_database_that_is_away_is_not_asked_again(
    error: Exception, no_pause: list[float]
) -> None:
    action = Failing(1, error)
    with pytest.raises(Unavailable):
        persistently("default", action)
    assert action.calls == 1


@pytest.mark.django_db(transaction=True)
def test_what_is_no_error_of_the_database_passes_through() -> None:
    with pytest.raises(KeyError):
        persistently("default", Failing(1, KeyError("ours")))


def test_inside_a_caller_s_transaction_nothing_is_tried_again(db: None) -> None:
    """Only the caller can begin that anew; the error is the database's own."""
    action = Failing(1, deadlock())
    with pytest.raises(OperationalError):
        persistently("default", action)
    assert action.calls == 1


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite locks the whole file")
@pytest.mark.parametrize("read", ["first", "exists"])
def test_locking_reads_lock(user: Any, django_assert_num_queries: Any, read: str) -> None:
    rows = lock_rows(type(user).objects.filter(pk=user.pk))
    with django_assert_num_queries(1) as captured:
        assert getattr(rows, read)()
    weaker = "FOR NO KEY UPDATE" if connection.vendor == "postgresql" else "FOR UPDATE"
    assert weaker in captured.captured_queries[0]["sql"]


def test_a_log_row_takes_a_uuid_as_the_database_keeps_it(db: None) -> None:
    """What is copied by SQL reads back as what the ORM wrote."""
    batch = uuid4()
    Group.objects.create(name="a")
    insert_select(
        "default",
        Revocation,
        Group.objects.all(),
        {
            "uid": batch,
            "batch": batch,
            "scope": "user",
            "subject": "1",
            "effect": "access",
            "version": None,
            "reason": "test",
            "actor": "",
            "note": "",
            "created_at": timezone.now(),
            "expires_at": timezone.now(),
        },
    )
    assert Revocation.objects.get(batch=batch).uid == batch


@pytest.mark.parametrize(
    "error",
    [ProgrammingError("no such relation"), OperationalError("no such table: x")],
    ids=["elsewhere", "sqlite"],
)
def test_what_no_second_try_can_mend_is_raised_as_it_is(error: Error) -> None:
    """A missing table is no outage: "try again" would be said for ever."""

    def ask() -> None:
        raise error

    with pytest.raises(type(error)):
        persistently("default", ask)


@pytest.mark.django_db(transaction=True)
def test_who_has_waited_for_a_lock_is_not_made_to_wait_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Invariant 4: the bound is the database's own time-out, not a multiple of it."""
    tries = []
    clock = iter([0.0, 5.0])
    monkeypatch.setattr(database.time, "monotonic", lambda: next(clock))

    def ask() -> None:
        tries.append(1)
        raise deadlock()

    with pytest.raises(Unavailable):
        persistently("default", ask)
    assert tries == [1]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError(2006, "password"), "database: OperationalError 2006"),
        (OperationalError("password"), "database: OperationalError"),
    ],
)
def test_the_log_is_told_the_kind_of_an_error_and_no_parameter(
    error: OperationalError, expected: str
) -> None:
    assert database.describe(error) == expected
