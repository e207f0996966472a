"""The database's log, read past a cursor: nothing is missed, and a loss is noticed."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.backends.replica import database_log, queries, state
from jwt_revoke.backends.replica.connection import LogConnection, _bound_waits
from jwt_revoke.backends.replica.database_log import Behind, DatabaseLog, LogLost
from jwt_revoke.backends.replica.entry import Cursor
from jwt_revoke.backends.replica.state import CLOCK_SKEW, ReplicaState
from jwt_revoke.exceptions import Unavailable
from jwt_revoke.models import LogCounter, Revocation
from jwt_revoke.numbering import number
from jwt_revoke.prepared import Statement
from tests.backends.replica.entries import append
from tests.conftest import make_user

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

TIMEOUT = 5.0
User = get_user_model()


class Reader:
    """A log with the state that it is read into."""

    def __init__(self) -> None:
        self.log = DatabaseLog("default", TIMEOUT)
        self.state = ReplicaState()

    def read(self) -> set[str]:
        self.log.read(self.state)
        return self.known

    def catch_up(self) -> set[str]:
        self.log.catch_up(self.state)
        return self.known

    @property
    def known(self) -> set[str]:
        return {*self.state.users, *self.state.tokens}


@pytest.fixture
def reader(settings: Any) -> Any:
    from tests.backends.replica.following import PATH

    # The log is numbered for it, as for every reader.
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": PATH}
    reader = Reader()
    yield reader
    reader.log.close()


def test_before_it_is_loaded_it_knows_nothing_and_says_so(reader: Reader) -> None:
    with pytest.raises(Behind):
        reader.read()


def test_loading_takes_in_what_is_in_force(reader: Reader) -> None:
    append("1")
    append("old", expires_at=timezone.now() - timedelta(hours=1))
    append("2")
    number("default")
    append("3")
    assert reader.catch_up() == {"1", "2", "3"}
    assert reader.log.cursor == Cursor(3, Revocation.objects.get(sequence=3).uid.hex)


def test_what_was_loaded_is_not_looked_through_for_what_is_over(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass over a million that are all in force: a tidied dict is another one."""
    monkeypatch.setattr(state, "_FIRST_TIDY", 1)
    append("1")
    append("2")
    number("default")
    before = reader.state.users
    assert reader.catch_up() == {"1", "2"}
    assert reader.state.users is before
    append("3", expires_at=timezone.now() - timedelta(hours=1))
    append("4")
    number("default")
    assert reader.read() == {"1", "2", "4"}


def test_an_empty_log_is_followed_from_its_first_entry(reader: Reader) -> None:
    assert reader.catch_up() == set()
    append("1")
    number("default")
    assert reader.read() == {"1"}
    append("2")
    number("default")
    assert reader.read() == {"1", "2"}


def test_what_nobody_has_numbered_is_read_all_the_same(reader: Reader) -> None:
    """Invariant 1: it is strict even if whoever committed it was killed at once."""
    reader.catch_up()
    append("1")
    assert reader.read() == {"1"}
    assert reader.log.unpublished_since is not None
    number("default")
    reader.read()
    assert reader.log.unpublished_since is None


def test_a_row_that_becomes_visible_late_is_not_lost(reader: Reader) -> None:
    """Its id is below the ones that were read: a cursor on ids would never see it."""
    reader.catch_up()
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with transaction.atomic():
                append("slow")
                begun.set()
                assert go_on.wait(20)
            number("default")
        finally:
            connection.close()

    if connection.vendor == "sqlite":
        pytest.skip("one writer at a time: nothing commits out of order")
    thread = threading.Thread(target=slow)
    thread.start()
    assert begun.wait(20)
    append("quick")
    number("default")
    assert reader.read() == {"quick"}
    go_on.set()
    thread.join()
    assert reader.read() == {"quick", "slow"}


def test_what_is_not_committed_is_not_seen(reader: Reader) -> None:
    """Not even by the thread whose own transaction it is in."""
    reader.catch_up()
    if connection.vendor == "sqlite":
        pytest.skip("the writer locks the file")
    with transaction.atomic():
        append("1")
        assert reader.read() == set()
    assert reader.read() == {"1"}


def test_an_old_snapshot_of_the_request_hides_nothing(reader: Reader) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("the writer locks the file")
    reader.catch_up()
    with transaction.atomic():
        if connection.vendor == "postgresql":
            connection.cursor().execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert Revocation.objects.count() == 0
        thread = threading.Thread(target=lambda: (append("1"), connection.close()))
        thread.start()
        thread.join()
        assert reader.read() == {"1"}


def numbered(*subjects: str) -> None:
    for subject in subjects:
        append(subject)
        number("default")


def test_an_entry_replaced_at_the_cursor_is_a_loss(reader: Reader) -> None:
    """Invariant 6: the database was set back and went on; numbers are given a second time."""
    numbered("1", "2")
    reader.catch_up()
    Revocation.objects.filter(sequence=2).delete()
    LogCounter.objects.update(value=1)
    numbered("other")
    with pytest.raises(LogLost):
        reader.read()


def test_a_log_set_back_behind_the_cursor_is_a_loss(reader: Reader) -> None:
    numbered("1", "2", "3")
    reader.catch_up()
    Revocation.objects.filter(sequence__gt=1).delete()
    LogCounter.objects.update(value=1)
    with pytest.raises(LogLost):
        reader.read()


def test_a_gap_is_a_loss(reader: Reader) -> None:
    numbered("1")
    reader.catch_up()
    numbered("2", "3")
    Revocation.objects.filter(sequence=2).delete()
    with pytest.raises(LogLost):
        reader.read()


def test_a_gap_between_later_entries_is_a_loss(reader: Reader) -> None:
    numbered("1")
    reader.catch_up()
    numbered("2", "3", "4")
    Revocation.objects.filter(sequence=3).delete()
    with pytest.raises(LogLost):
        reader.read()


def test_forgetting_it_loads_anew(reader: Reader) -> None:
    numbered("1", "2")
    reader.catch_up()
    Revocation.objects.all().delete()
    with pytest.raises(LogLost):
        reader.read()
    reader.log.forget()
    reader.state = ReplicaState()
    assert reader.catch_up() == set()


def test_a_bulk_revocation_has_one_number(reader: Reader, user: Any) -> None:
    make_user("bob")
    reader.catch_up()
    api.revoke_users(User.objects.all())
    sequences = Revocation.objects.values_list("sequence", flat=True)
    assert sorted(sequences) == [0, 1]


def test_a_bulk_revocation_is_left_to_the_background(reader: Reader, user: Any) -> None:
    """A hundred thousand members must not make one request wait."""
    reader.catch_up()
    api.revoke_users(User.objects.all())
    with pytest.raises(Behind):
        reader.read()
    assert reader.catch_up() == {str(user.pk)}
    assert reader.read() == {str(user.pk)}


def test_a_batch_before_it_is_numbered_is_read_once(reader: Reader) -> None:
    batch = uuid4()
    reader.catch_up()
    append("1", batch=batch)
    append("2", batch=batch, sequence=0)
    assert reader.catch_up() == {"1", "2"}
    assert reader.read() == {"1", "2"}


def test_batches_are_remembered_for_a_while_only(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_log, "_REMEMBERED_BATCHES", 2)
    reader.catch_up()
    for number_of in range(5):
        append(str(number_of), batch=uuid4())
    reader.catch_up()
    assert len(reader.log._batches) == 2


@pytest.mark.parametrize("page", [1, 2, 3, 7])
def test_pages_of_any_size_load_everything(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Also where many expire at the same moment, as a batch does."""
    monkeypatch.setattr(queries, "LOAD_PAGE", page)
    batch, now = uuid4(), timezone.now()
    for at in range(4):
        append(f"batch {at}", batch=batch, sequence=0, expires_at=now + timedelta(minutes=3))
        append(f"early {at}", expires_at=now + timedelta(minutes=2, seconds=at))
        append(f"late {at}", expires_at=now + timedelta(minutes=4))
    number("default")
    assert len(reader.catch_up()) == 12


@pytest.mark.parametrize("page", [1, 2, 3])
def test_catching_up_goes_on_until_nothing_is_left(
    reader: Reader, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(queries, "LOAD_PAGE", page)
    reader.catch_up()
    numbered(*[str(at) for at in range(7)])
    assert len(reader.catch_up()) == 7


def test_more_than_a_page_is_left_to_the_background(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 3)
    reader.catch_up()
    numbered("1", "2", "3")
    assert len(reader.read()) == 3
    numbered("4", "5", "6", "7", "8")
    with pytest.raises(Behind):
        reader.read()
    assert len(reader.catch_up()) == 8
    assert len(reader.read()) == 8


def test_a_long_outbox_has_to_be_numbered_first(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE", 3)
    reader.catch_up()
    for at in range(3):
        append(str(at))
    with pytest.raises(Behind):
        reader.read()
    number("default")
    assert len(reader.read()) == 3


def test_a_read_is_one_statement(reader: Reader, reads: list[str]) -> None:
    """One round trip, whatever is new."""
    reader.catch_up()
    reads.clear()
    reader.read()
    numbered("1", "2")
    append("3")
    assert reader.read() == {"1", "2", "3"}
    assert len(reads) == 2


def test_a_connection_that_breaks_is_replaced_in_the_background(reader: Reader) -> None:
    reader.catch_up()
    assert reader.log._connection is not None
    reader.log._connection.wrapper.connection.close()
    with pytest.raises(Unavailable):
        reader.read()
    with pytest.raises(Behind):
        reader.read()
    numbered("1")
    assert reader.catch_up() == {"1"}
    assert reader.read() == {"1"}


@pytest.mark.parametrize("use_tz", [True, False])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_times_are_read_as_they_were_written(
    reader: Reader, settings: Any, zone: str, use_tz: bool
) -> None:
    """Whatever the site's zone: an entry taken for hours older than it is would be forgotten."""
    settings.TIME_ZONE, settings.USE_TZ = zone, use_tz
    until = timezone.now().replace(microsecond=0) + timedelta(minutes=9)
    append("1", expires_at=until)
    reader.catch_up()
    expires = reader.state.users["1"][2] - CLOCK_SKEW
    assert abs(expires - until.timestamp()) <= 1


@pytest.mark.postgresql
def test_a_server_that_hangs_is_given_up_in_time(db: None) -> None:
    """Invariant 4."""
    if connection.vendor != "postgresql":
        pytest.skip("PostgreSQL's driver is the one that has no such time-out")
    log = LogConnection("default", 0.3)
    begun = timezone.now()
    with pytest.raises(Unavailable):
        log.rows(Statement("SELECT pg_sleep(1.5)"), [])
    assert timezone.now() - begun < timedelta(seconds=1)
    time.sleep(1.5)  # the server notices only now, and holds the database until then
    log.close()


def test_a_database_out_of_reach_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = {"NAME": "/nowhere/at/all"} if connection.vendor == "sqlite" else {"PORT": "1"}
    for name, value in nowhere.items():
        monkeypatch.setitem(connection.settings_dict, name, value)
    with pytest.raises(Unavailable):
        LogConnection("default", 0.3)


def test_a_connection_that_cannot_be_set_up_is_closed(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else has it: it would stay open until the garbage collector comes by."""
    opened: list[Any] = []

    def fail(wrapper: Any) -> None:
        opened.append(wrapper)
        raise RuntimeError

    monkeypatch.setattr(connections["default"].__class__, "init_connection_state", fail)
    with pytest.raises(RuntimeError):
        LogConnection("default", 0.3)
    (wrapper,) = opened
    assert wrapper.connection is None


def test_a_driver_without_a_wait_of_its_own_is_left_as_it_is() -> None:
    """psycopg2: a check says so."""
    _bound_waits(object(), 0.3)
