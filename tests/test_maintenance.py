"""What operators run: prune lets go of what is old, reconcile finds what no signal saw."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import api, maintenance, processes
from jwt_revoke.database import DatabaseNow
from jwt_revoke.exceptions import RefreshReused, TokenRevoked, Unavailable
from jwt_revoke.models import (
    ONLY_ROW,
    DeviceSession,
    LogCounter,
    ReplicaProcess,
    Revocation,
    SigningKey,
    UserTokenState,
)
from jwt_revoke.numbering import LogFigures
from jwt_revoke.signing_keys import rotate
from jwt_revoke.testing import Device
from tests.conftest import make_user
from tests.stored import after

pytestmark = pytest.mark.django_db

USING = "default"
DAY = timedelta(days=1)


def silent(what: str, done: int) -> None:
    """Progress that nobody watches."""


def prune(batch_size: int = 1000, progress: Any = silent) -> dict[str, int]:
    return maintenance.prune(USING, batch_size, progress)


def reconcile(batch_size: int = 1000) -> dict[str, int]:
    return maintenance.reconcile(USING, batch_size, silent)


def by_sql(user: Any, **columns: Any) -> None:
    """A change that no signal sees."""
    get_user_model()._base_manager.filter(pk=user.pk).update(**columns)


def delete_by_sql(*users: Any) -> None:
    table = connection.ops.quote_name(get_user_model()._meta.db_table)
    with connection.cursor() as cursor:
        for user in users:
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [user.pk])


@pytest.fixture
def add_session(user: Any) -> Callable[..., DeviceSession]:
    """``add_session(ended=400)``: a session with device data, its moments so many days ago."""

    def add(**days_ago: float) -> DeviceSession:
        now = timezone.now()
        moments = {
            "created_at": days_ago.pop("created", 0),
            "authenticated_at": 0,
            "last_used_at": 0,
            "idle_expires_at": days_ago.pop("idle", -14),
            "expires_at": days_ago.pop("expires", -90),
        }
        if "ended" in days_ago:
            moments["ended_at"] = days_ago.pop("ended")
        assert not days_ago
        return DeviceSession.objects.create(
            user=user,
            name="phone",
            user_agent="Phone/1",
            ip_address="192.0.2.1",
            opened_version=2**50,
            opened_generation=2**50,
            **{name: now - days * DAY for name, days in moments.items()},
        )

    return add


def add_entry(created: float, expires: float | None = None, **fields: Any) -> Revocation:
    """A log entry made so many days ago."""
    now = timezone.now()
    values = {"scope": "user", "subject": "1", "effect": "session", "reason": "logout_all"} | fields
    return Revocation.objects.create(
        created_at=now - created * DAY,
        expires_at=now - (created if expires is None else expires) * DAY,
        **values,
    )


def has_device_data(session: DeviceSession) -> bool:
    session.refresh_from_db()
    return (session.user_agent, session.ip_address) != ("", None)


# --- prune: device data, 90 days after the end


@pytest.mark.parametrize("end", ["ended", "expires", "idle"])
def test_device_data_is_erased_90_days_after_the_end(
    add_session: Callable[..., DeviceSession], end: str
) -> None:
    over, recent = add_session(**{end: 91}), add_session(**{end: 89})

    prune()

    assert not has_device_data(over)
    assert has_device_data(recent)


def test_the_first_end_counts(add_session: Callable[..., DeviceSession]) -> None:
    over = add_session(ended=91, idle=80, expires=10)

    prune()

    assert not has_device_data(over)


def test_a_session_ended_with_everyone_s_counts_from_then(
    add_session: Callable[..., DeviceSession],
) -> None:
    before, after = add_session(), add_session()
    DeviceSession.objects.filter(pk=before.pk).update(opened_generation=4)
    DeviceSession.objects.filter(pk=after.pk).update(opened_generation=5)
    add_entry(91, scope="everyone", subject="", version=5)

    prune()

    assert not has_device_data(before)
    assert has_device_data(after)


@pytest.mark.parametrize(
    "fields", [{"created": 89}, {"created": 91, "effect": "access"}], ids=["recent", "access"]
)
def test_another_revocation_of_everyone_does_not_count(
    add_session: Callable[..., DeviceSession], fields: dict[str, Any]
) -> None:
    session = add_session()
    DeviceSession.objects.update(opened_generation=4)
    add_entry(**fields, scope="everyone", subject="", version=5)

    prune()

    assert has_device_data(session)


def test_the_name_that_the_owner_gave_stays(add_session: Callable[..., DeviceSession]) -> None:
    session = add_session(ended=91)

    prune()

    session.refresh_from_db()
    assert session.name == "phone"


def test_the_retention_of_device_data_is_the_setting_s(
    add_session: Callable[..., DeviceSession], settings: Any
) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "DEVICE_DATA_RETENTION": 5 * DAY}
    session = add_session(ended=6)

    prune()

    assert not has_device_data(session)


# --- prune: rows, after a year


@pytest.mark.parametrize("end", ["ended", "expires", "idle"])
def test_a_session_is_deleted_a_year_after_its_end(
    add_session: Callable[..., DeviceSession], end: str
) -> None:
    add_session(**{end: 366})
    kept = add_session(**{end: 364})

    prune()

    assert list(DeviceSession.objects.all()) == [kept]


def test_a_live_session_is_never_touched(phone: Device) -> None:
    DeviceSession.objects.update(created_at=timezone.now() - 10_000 * DAY)

    prune()

    phone.refresh_tokens()
    assert phone.standing == "live"
    assert phone.device_session.user_agent == "Phone/1"


def test_a_replay_is_still_told_from_an_unknown_token(phone: Device) -> None:
    stolen = phone.refresh_token
    phone.refresh_tokens()
    phone.refresh_tokens()

    prune()

    with pytest.raises(RefreshReused):
        api.refresh(stolen)


def test_after_its_row_is_gone_the_token_is_refused_all_the_same(phone: Device) -> None:
    long_ago = timezone.now() - 400 * DAY
    DeviceSession.objects.update(ended_at=long_ago)

    prune()

    assert not DeviceSession.objects.exists()
    with pytest.raises(TokenRevoked):
        api.refresh(phone.refresh_token)


def test_the_log_is_kept_for_a_year(db: None) -> None:
    add_entry(366)
    kept = add_entry(364)

    prune()

    assert list(Revocation.objects.all()) == [kept]


def test_a_revocation_in_force_is_kept_whatever_its_age(db: None) -> None:
    kept = add_entry(366, expires=-1)

    prune()

    assert list(Revocation.objects.all()) == [kept]


def test_a_key_that_has_retired_keeps_its_row_and_no_private_part(stored_keys: Any) -> None:
    """A mark must outlive every copy of a key, so no row of one is ever deleted."""
    rotate("default")
    after(days=400)
    rotate("default")
    prune()
    assert [bool(key.private) for key in SigningKey.objects.order_by("not_before")] == [True, True]

    after(days=400)
    prune()

    assert [bool(key.private) for key in SigningKey.objects.order_by("not_before")] == [False, True]


def test_the_retention_of_the_log_is_the_setting_s(
    add_session: Callable[..., DeviceSession], settings: Any
) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "AUDIT_RETENTION": 5 * DAY}
    add_session(ended=6)
    add_entry(6)

    prune()

    assert not DeviceSession.objects.exists()
    assert not Revocation.objects.exists()


def test_pruning_the_log_revives_nobody(user: Any, phone: Device) -> None:
    """Invariant 6: the versions stand in the users' states, not in the log alone."""
    api.revoke_user(user)
    long_ago = timezone.now() - 400 * DAY
    Revocation.objects.update(created_at=long_ago, expires_at=long_ago)

    prune()

    assert not Revocation.objects.exists()
    assert phone.standing == "revoked"


# --- prune: in batches


def old_rows(add_session: Callable[..., DeviceSession]) -> None:
    """Seven of each kind."""
    for _number in range(7):
        add_session(ended=91)
        add_session(ended=366)
        add_entry(366)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 1000])
def test_all_is_done_whatever_the_size_of_a_batch(
    add_session: Callable[..., DeviceSession], batch_size: int
) -> None:
    old_rows(add_session)

    assert prune(batch_size) == {"erased": 14, "sessions": 7, "revocations": 7}
    assert DeviceSession.objects.filter(user_agent="", ip_address=None).count() == 7


def test_a_batch_is_no_larger_than_asked_for(add_session: Callable[..., DeviceSession]) -> None:
    old_rows(add_session)
    touched: list[int] = []

    def count(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if sql.startswith(("UPDATE", "DELETE")):
            touched.append(context["cursor"].rowcount)
        return result

    with connection.execute_wrapper(count):
        prune(batch_size=3)

    assert sum(touched) == 28
    assert max(touched) <= 3


def test_again_there_is_nothing_to_do(add_session: Callable[..., DeviceSession]) -> None:
    old_rows(add_session)
    prune()

    assert prune() == {"erased": 0, "sessions": 0, "revocations": 0}


def test_a_table_is_passed_through_once(add_session: Callable[..., DeviceSession]) -> None:
    """A batch never looks again at what an earlier one passed by."""
    for _number in range(20):
        add_session()
    with CaptureQueriesContext(connection) as queries:
        prune(batch_size=10)

    looked = [q["sql"] for q in queries if "user_agent" in q["sql"] and "SELECT" in q["sql"]]
    assert len(looked) == 2
    assert all(">=" in sql and "<=" in sql for sql in looked)


def test_progress_is_told_after_each_batch(add_session: Callable[..., DeviceSession]) -> None:
    old_rows(add_session)
    told: list[tuple[str, int]] = []

    prune(7, lambda what, done: told.append((what, done)))

    assert [done for what, done in told if what == "erased"][-1] == 14
    assert [done for what, done in told if what == "sessions"][-1] == 7
    assert [what for what, _done in told] == sorted(
        [what for what, _done in told], key=["erased", "sessions", "revocations"].index
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", ["UPDATE", "DELETE"])
def test_interrupted_it_keeps_what_was_done_and_can_be_run_again(
    add_session: Callable[..., DeviceSession], statement: str
) -> None:
    old_rows(add_session)
    seen: list[str] = []

    def interrupt(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(statement):
            seen.append(sql)
            if len(seen) == 3:
                raise KeyboardInterrupt
        return execute(sql, params, many, context)

    with connection.execute_wrapper(interrupt), pytest.raises(KeyboardInterrupt):
        prune(batch_size=2)

    rest = prune(batch_size=2)
    assert 0 < sum(rest.values()) < 28
    assert DeviceSession.objects.count() == 7
    assert not Revocation.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_breaks_is_unavailable(add_session: Callable[..., DeviceSession]) -> None:
    add_session(ended=91)

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE"):
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse), pytest.raises(Unavailable):
        prune()


# --- reconcile


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "password_changed": ({"password": make_password("another")}, "revoked"),
    "suspended": ({"is_active": False}, "revoked"),
    "role_changed": ({"is_staff": True}, "stale"),
}


@pytest.mark.parametrize("reason", CHANGES)
def test_a_change_that_no_signal_saw_is_found(user: Any, phone: Device, reason: str) -> None:
    columns, standing = CHANGES[reason]
    by_sql(user, **columns)

    assert reconcile() == {"seen": 1, "changed": 1}
    assert Revocation.objects.get().reason == reason
    assert phone.standing == standing


@pytest.mark.parametrize("reason", CHANGES)
def test_it_stays_dead_when_the_change_is_undone(user: Any, phone: Device, reason: str) -> None:
    """Invariant 6."""
    columns, standing = CHANGES[reason]
    before = {name: getattr(user, name) for name in columns}
    by_sql(user, **columns)
    reconcile()
    by_sql(user, **before)
    reconcile()

    assert phone.standing == standing


def test_several_changes_at_once_are_recorded_each(user: Any, phone: Device) -> None:
    by_sql(user, password=make_password("another"), is_active=False, is_staff=True)

    assert reconcile() == {"seen": 1, "changed": 1}
    reasons = set(Revocation.objects.values_list("reason", flat=True))
    assert reasons == {"password_changed", "suspended", "role_changed"}


def test_a_deletion_is_found(user: Any, phone: Device) -> None:
    delete_by_sql(user)

    assert reconcile() == {"seen": 1, "changed": 1}
    assert Revocation.objects.get().reason == "deleted"
    assert not DeviceSession.objects.exists()
    assert not UserTokenState.objects.exists()


def test_nobody_is_named_as_the_actor(user: Any, phone: Device) -> None:
    by_sql(user, is_active=False)
    reconcile()

    assert Revocation.objects.get().actor == ""


@pytest.mark.parametrize("reason", [*CHANGES, "deleted"])
def test_twice_is_harmless(user: Any, phone: Device, reason: str) -> None:
    if reason == "deleted":
        delete_by_sql(user)
    else:
        by_sql(user, **CHANGES[reason][0])
    reconcile()

    assert reconcile()["changed"] == 0
    assert Revocation.objects.count() == 1


def test_an_unchanged_account_is_left_alone(user: Any, phone: Device) -> None:
    assert reconcile() == {"seen": 1, "changed": 0}
    assert phone.standing == "live"


def test_a_change_that_was_seen_is_not_recorded_again(user: Any, phone: Device) -> None:
    user.is_staff = True
    user.save()

    assert reconcile() == {"seen": 1, "changed": 0}


def test_who_comes_back_to_active_is_not_revoked(user: Any, phone: Device) -> None:
    by_sql(user, is_active=False)
    reconcile()
    Revocation.objects.all().delete()
    by_sql(user, is_active=True)

    assert reconcile() == {"seen": 1, "changed": 1}
    assert not Revocation.objects.exists()


def test_a_user_who_never_signed_in_has_nothing_to_compare(user: Any) -> None:
    api.revoke_user(user)
    Revocation.objects.all().delete()

    assert reconcile() == {"seen": 1, "changed": 0}
    assert not Revocation.objects.exists()


def test_the_time_of_a_password_change_is_noted(user: Any, phone: Device) -> None:
    by_sql(user, password=make_password("another"))
    reconcile()

    changed_at = UserTokenState.objects.get().last_password_change
    assert changed_at is not None
    assert abs(timezone.now() - changed_at) < timedelta(minutes=1)


def test_the_time_of_a_password_change_is_left_by_another_change(user: Any, phone: Device) -> None:
    by_sql(user, is_staff=True)
    reconcile()

    assert UserTokenState.objects.get().last_password_change is None


@pytest.mark.parametrize("effect", [None, "access", "session"])
def test_the_effect_is_the_setting_s(
    user: Any, phone: Device, settings: Any, effect: str | None
) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REVOKE_ON": {"role_changed": effect}}
    by_sql(user, is_staff=True)

    assert reconcile()["changed"] == 1
    assert phone.standing == {None: "live", "access": "stale", "session": "revoked"}[effect]
    assert reconcile()["changed"] == 0


def test_the_batch_is_announced_once(user: Any, phone: Device, revocations: Any) -> None:
    bob = make_user("bob")
    Device(bob)
    by_sql(user, is_active=False)
    by_sql(bob, is_active=False)

    with revocations() as revoked:
        reconcile()

    assert [(entry["reason"], entry["count"]) for entry in revoked] == [("suspended", 2)]


@pytest.fixture
def crowd(db: None) -> list[Any]:
    """Ten users, each signed in."""
    people = [make_user(f"user-{number}") for number in range(10)]
    for person in people:
        api.sign_in(person)
    return people


@pytest.mark.parametrize("batch_size", [1, 3, 10, 1000])
def test_all_are_looked_at_whatever_the_size_of_a_batch(crowd: list[Any], batch_size: int) -> None:
    delete_by_sql(crowd[0])
    by_sql(crowd[4], is_active=False)
    by_sql(crowd[9], is_staff=True)

    assert reconcile(batch_size) == {"seen": 10, "changed": 3}


def test_the_cost_of_a_batch_does_not_depend_on_how_many_changed(crowd: list[Any]) -> None:
    """Invariant 8."""
    by_sql(crowd[0], is_staff=True)
    with CaptureQueriesContext(connection) as one:
        reconcile()
    for person in crowd[1:]:
        by_sql(person, is_staff=True)
    with CaptureQueriesContext(connection) as nine:
        assert reconcile()["changed"] == 9

    assert len(nine) == len(one)


def test_the_rows_are_locked_user_first(user: Any, phone: Device) -> None:
    by_sql(user, is_staff=True)
    with CaptureQueriesContext(connection) as queries:
        reconcile()
    if not connection.features.has_select_for_update:
        pytest.skip("this database locks itself as a whole")

    locked = [query["sql"] for query in queries if " FOR " in query["sql"]]
    assert get_user_model()._meta.db_table in locked[0]
    assert UserTokenState._meta.db_table in locked[1]


def test_a_change_undone_before_the_lock_is_none(
    user: Any, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look takes no lock: what it saw is looked at again under one."""
    by_sql(user, is_staff=True)
    settle_each = maintenance.settle_each

    def late(using: str, keys: Any) -> int:
        by_sql(user, is_staff=False)
        return settle_each(using, keys)

    monkeypatch.setattr(maintenance, "settle_each", late)

    assert reconcile() == {"seen": 1, "changed": 0}
    assert phone.standing == "live"


def test_a_user_who_is_deleted_meanwhile_is_left_to_the_deletion(
    user: Any, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_sql(user, is_staff=True)
    settle_each = maintenance.settle_each

    def late(using: str, keys: Any) -> int:
        delete_by_sql(user)
        return settle_each(using, keys)

    monkeypatch.setattr(maintenance, "settle_each", late)

    assert reconcile() == {"seen": 1, "changed": 0}


# --- status


def test_the_figures_of_an_empty_site(db: None) -> None:
    assert maintenance.status(USING) == maintenance.Status(
        live_sessions=0,
        sessions=0,
        revocations=0,
        newest_revocation=None,
        generation=0,
        users_with_state=0,
        backend={},
        log=None,
        oldest_wait=None,
        processes=[],
    )


def test_the_figures(user: Any, phone: Device, laptop: Device) -> None:
    api.end_session(phone.session_id)

    found = maintenance.status(USING)

    assert (found.live_sessions, found.sessions, found.users_with_state) == (1, 2, 1)
    assert found.revocations == 1
    assert found.newest_revocation == Revocation.objects.get().created_at


def test_the_generation_is_told(phone: Device) -> None:
    generation = api.revoke_everyone()

    found = maintenance.status(USING)

    assert (found.generation, found.live_sessions) == (generation, 0)


# --- the log, and the processes that follow it


@pytest.fixture
def replica(settings: Any) -> None:
    path = "jwt_revoke.backends.replica.ReplicaBackend"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}


def test_the_log_s_figures_are_told_where_it_is_numbered(
    replica: None, phone: Device, laptop: Device
) -> None:
    api.end_session(phone.session_id)
    Revocation.objects.update(sequence=3)
    LogCounter.objects.update_or_create(pk=ONLY_ROW, defaults={"value": 3})
    api.end_session(laptop.session_id)
    waiting = Revocation.objects.order_by("-pk")[:1].get()
    Revocation.objects.filter(pk=waiting.pk).update(
        sequence=None, created_at=DatabaseNow() - timedelta(seconds=90)
    )

    found = maintenance.status(USING)

    assert found.log == LogFigures(newest=3, unnumbered=1)
    assert found.oldest_wait is not None
    assert 90 <= found.oldest_wait.total_seconds() < 120


def test_nothing_waits_in_a_log_that_is_all_numbered(replica: None, user: Any) -> None:
    found = maintenance.status(USING)

    assert (found.log, found.oldest_wait) == (LogFigures(newest=0, unnumbered=0), None)


def test_processes_are_told_while_they_report(db: None) -> None:
    figures = {"log": "database", "max_staleness": 0, "entries": 0, "fallbacks": 0, "reads": 0}
    for number in (1, 2):
        processes.report(USING, UUID(int=number), timezone.now(), figures)
    gone = DatabaseNow() - timedelta(hours=2)
    ReplicaProcess.objects.filter(pk=UUID(int=2)).update(seen_at=gone)

    assert [row.pk for row in maintenance.status(USING).processes] == [UUID(int=1)]
    prune()
    assert [row.pk for row in ReplicaProcess.objects.all()] == [UUID(int=1)]
