"""The replica: when it reads, who waits, and who answers until it can."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from jwt_revoke import api
from jwt_revoke import log as log_of_the_database
from jwt_revoke.backends.base import get_backend
from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.backends.replica import backend as module
from jwt_revoke.backends.replica.state import NEVER, ReplicaState
from jwt_revoke.backends.replica.stream import Stream
from jwt_revoke.exceptions import TokenRevoked, TokenStale, Unavailable
from jwt_revoke.models import Revocation
from jwt_revoke.testing import Device
from tests.backends.contract import claims_of
from tests.backends.replica.following import PATIENCE, check_by_copy, until, until_ready

pytestmark = pytest.mark.django_db(transaction=True)

AWAY = "redis://127.0.0.1:1/0"


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module, "clock", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def refused(claims: Any, **bound: Any) -> bool:
    try:
        get_backend().check(claims, **bound)
    except TokenRevoked:
        return True
    return False


# --- staleness


def test_within_bounds_a_check_asks_nobody(
    replica: Any, clock: Clock, phone: Device, reads: list[str]
) -> None:
    backend, claims = replica(max_staleness=10), claims_of(phone)
    until_ready(backend)
    reads.clear()
    clock.now += 9.9
    with CaptureQueriesContext(connection) as captured:
        for _ in range(3):
            assert backend.check(claims) is None
    assert (len(reads), len(captured)) == (0, 0)


def test_past_the_bound_one_read_serves_the_next_bound(
    replica: Any, clock: Clock, phone: Device, reads: list[str]
) -> None:
    backend, claims = replica(max_staleness=10), claims_of(phone)
    until_ready(backend)
    reads.clear()
    clock.now += 10.1
    for _ in range(3):
        backend.check(claims)
    assert len(reads) == 1


def test_a_revocation_is_seen_once_the_bound_has_passed(
    replica: Any, clock: Clock, phone: Device
) -> None:
    """Invariant 1: not before, and not a moment later."""
    backend, claims = replica(max_staleness=10), claims_of(phone)
    until_ready(backend)
    api.end_session(phone.session_id)
    assert not refused(claims)
    clock.now += 10.01
    assert refused(claims)


def test_staleness_counts_from_the_beginning_of_the_read(
    replica: Any, clock: Clock, phone: Device
) -> None:
    """What is committed while a slow read is under way is not in it."""
    backend, claims = replica(max_staleness=10), claims_of(phone)
    until_ready(backend)
    real = backend._log.read

    def slow(state: Any) -> None:
        real(state)
        api.end_session(phone.session_id)
        clock.now += 8

    clock.now += 11
    backend._log.read = slow
    assert not refused(claims)
    backend._log.read = real
    clock.now += 2.01
    assert refused(claims)


def test_a_strict_check_reads_each_time(replica: Any, phone: Device, reads: list[str]) -> None:
    backend, claims = replica(), claims_of(phone)
    until_ready(backend)
    reads.clear()
    for _ in range(3):
        backend.check(claims)
    assert len(reads) == 3


def test_a_view_may_ask_for_less_staleness_or_bear_more(
    replica: Any, clock: Clock, phone: Device, reads: list[str]
) -> None:
    """s21."""
    backend, claims = replica(max_staleness=10), claims_of(phone)
    until_ready(backend)
    reads.clear()
    clock.now += 5
    backend.check(claims, 60)
    backend.check(claims, 10)
    assert len(reads) == 0
    backend.check(claims, 1)
    assert len(reads) == 1
    clock.now += 50
    backend.check(claims, 60)
    assert len(reads) == 1


def test_a_wake_up_makes_the_next_check_read(
    replica: Any, clock: Clock, phone: Device, reads: list[str]
) -> None:
    backend, claims = replica(max_staleness=3600), claims_of(phone)
    until_ready(backend)
    api.end_session(phone.session_id)
    assert not refused(claims)
    clock.now += 1
    backend.wake()
    assert refused(claims)


def test_the_clock_of_the_calendar_has_no_say(
    replica: Any, phone: Device, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stepped back by an hour, it must not make the copy fresh for an hour more."""
    backend, claims = replica(max_staleness=0.05), claims_of(phone)
    until_ready(backend)
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3600)
    api.end_session(phone.session_id)
    time.sleep(0.06)  # by the clock that cannot be set
    assert refused(claims)


# --- many at once


def test_those_who_wait_share_one_read(replica: Any, phone: Device, reads: list[str]) -> None:
    """Single flight: a read that begins after all of them came is enough for all of them."""
    backend, claims = replica(), claims_of(phone)
    until_ready(backend)
    reads.clear()
    count = 16
    waiting = threading.Semaphore(0)
    acquire = backend._reading.acquire

    class Gate:
        """Lets nobody in until all have come."""

        def acquire(self, timeout: float) -> bool:
            waiting.release()
            return bool(acquire(timeout=20))

        def release(self) -> None:
            backend_lock.release()

    backend_lock = backend._reading
    backend_lock.acquire()
    backend._reading = Gate()
    threads = [threading.Thread(target=backend.check, args=(claims,)) for _ in range(count)]
    for thread in threads:
        thread.start()
    for _ in range(count):
        assert waiting.acquire(timeout=20)
    backend_lock.release()
    for thread in threads:
        thread.join()
    backend._reading = backend_lock
    assert len(reads) == 1


def test_a_read_that_began_before_a_check_is_not_enough_for_it(
    replica: Any, clock: Clock, phone: Device
) -> None:
    """Strict: what was revoked between the two would not be in it."""
    backend, claims = replica(), claims_of(phone)
    until_ready(backend)
    real, started, go_on = backend._log.read, threading.Event(), threading.Event()

    def slow(state: Any) -> None:
        backend._log.read = real
        real(state)
        started.set()
        assert go_on.wait(20)

    clock.now += 1
    backend._log.read = slow
    backend.options = module.Options.of({"timeout": 10})
    first = threading.Thread(target=backend.check, args=(claims,))
    first.start()
    assert started.wait(20)
    api.end_session(phone.session_id)
    clock.now += 1
    answers: list[bool] = []
    second = threading.Thread(target=lambda: answers.append(refused(claims)))
    second.start()
    go_on.set()
    first.join()
    second.join()
    assert answers == [True]


def test_who_waits_too_long_is_answered_by_the_database(replica: Any, phone: Device) -> None:
    """Invariant 4: bounded, whatever holds the read up."""
    backend, claims = replica(timeout=0.05), claims_of(phone)
    until_ready(backend)
    with backend._reading:
        begun = time.monotonic()
        assert backend.check(claims).pk == int(claims.sub)
        assert time.monotonic() - begun < 2
    assert backend.fallbacks == 1


# --- until it is ready


def test_a_process_that_has_just_started_is_answered_by_the_database(
    replica: Any, phone: Device, laptop: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restart is no outage: not one 503, and what is revoked is refused."""
    api.end_session(laptop.session_id)
    backend = replica(max_staleness=60)
    go_on = threading.Event()
    recover = backend._log.catch_up

    def held_up(state: Any) -> None:
        assert go_on.wait(20)
        recover(state)

    backend._log.catch_up = held_up
    assert phone.get("/api/ping/").status_code == 200
    assert laptop.get("/api/ping/").status_code == 401
    assert not backend.ready
    go_on.set()
    assert check_by_copy(claims_of(phone)) is None
    with pytest.raises(TokenRevoked):
        check_by_copy(claims_of(laptop))


def test_one_thread_loads_however_many_ask(
    replica: Any, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, claims = replica(), claims_of(phone)
    loads: list[int] = []
    recover, go_on = backend._log.catch_up, threading.Event()

    def counted(state: Any) -> None:
        loads.append(1)
        assert go_on.wait(PATIENCE)
        recover(state)

    backend._log.catch_up = counted
    for _ in range(5):
        backend.check(claims)
    go_on.set()
    until_ready(backend)
    assert loads == [1]


def test_a_log_that_lost_entries_is_loaded_anew(
    replica: Any, phone: Device, laptop: Device
) -> None:
    backend = replica()
    api.end_session(laptop.session_id)
    check_by_copy(claims_of(phone))
    Revocation.objects.all().delete()
    assert backend.check(claims_of(phone)) is not None  # by the database, meanwhile
    assert check_by_copy(claims_of(phone)) is None
    assert backend.status()["entries"] == 0


def test_a_loss_that_is_found_while_catching_up_is_loaded_anew_too(
    replica: Any, phone: Device, laptop: Device
) -> None:
    backend, claims = replica(), claims_of(phone)
    api.end_session(laptop.session_id)
    check_by_copy(claims)
    backend._background._thread.join()  # what loaded it is done, and another may begin
    Revocation.objects.all().delete()
    backend._ready = False
    backend.check(claims)
    backend._background._thread.join()
    assert backend._log.cursor is None
    backend._background._retry_at = NEVER
    assert check_by_copy(claims) is None


def test_a_bulk_revocation_is_taken_in_while_the_database_answers(
    replica: Any, phone: Device, user: Any
) -> None:
    backend, claims = replica(), claims_of(phone)
    until_ready(backend)
    api.revoke_users(get_user_model().objects.all())
    with pytest.raises(TokenRevoked):
        backend.check(claims)
    assert backend.fallbacks == 1
    with pytest.raises(TokenRevoked):
        check_by_copy(claims)


def test_a_log_connection_that_breaks_is_made_anew(replica: Any, phone: Device) -> None:
    backend, claims = replica(), claims_of(phone)
    until_ready(backend)
    backend._log._connection.wrapper.connection.close()
    assert backend.check(claims) is not None
    assert check_by_copy(claims) is None


def test_a_log_that_cannot_be_reached_is_tried_again_later(
    replica: Any, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, claims = replica(), claims_of(phone)

    def away(*_args: Any) -> Any:
        raise Unavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr("jwt_revoke.backends.replica.database_log.LogConnection", away)
        backend.check(claims)
        backend._background._thread.join()
        assert backend._background._retry_at > module.clock()
        backend.check(claims)
        assert not backend._background.is_busy
    assert backend.fallbacks == 2
    backend._background._retry_at = NEVER
    assert check_by_copy(claims) is None


def test_when_the_database_is_away_too_it_cannot_know(
    replica: Any, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 4: 503, never 200 and never 500."""
    backend = replica()
    until_ready(backend)
    backend._log._connection.wrapper.connection.close()

    def away(*_args: Any, **_kwargs: Any) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(DatabaseBackend, "_facts", away)
    answer = phone.get("/api/ping/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")


def test_without_a_thread_to_be_had_the_database_answers(
    replica: Any, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    backend = replica()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        assert backend.check(claims_of(phone)) is not None
    assert check_by_copy(claims_of(phone)) is None


def test_a_fault_of_ours_in_the_background_is_logged(
    replica: Any, phone: Device, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    backend = replica()
    monkeypatch.setattr(module, "number", lambda _using: 1 / 0)
    backend.check(claims_of(phone))
    backend._background._thread.join()
    assert "ZeroDivisionError" in caplog.text


def test_a_database_fault_in_the_background_is_logged_without_its_message(
    replica: Any, phone: Device, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """Invariant 9: a driver's message may quote a parameter."""

    def fail(_using: str) -> None:
        raise OperationalError("secret parameter")

    backend = replica()
    monkeypatch.setattr(module, "number", fail)
    backend.check(claims_of(phone))
    backend._background._thread.join()
    assert "OperationalError" in caplog.text
    assert "secret" not in caplog.text


def test_a_copy_that_is_replaced_meanwhile_lets_nothing_pass(
    replica: Any, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 1: between "fresh enough" and the look-up the log is found lost, and the copy is
    begun anew, empty."""
    backend, claims = replica(max_staleness=60), claims_of(phone)
    api.end_session(phone.session_id)
    with pytest.raises(TokenRevoked):
        check_by_copy(claims)
    real = module.clock

    def replaced_meanwhile() -> float:
        backend._ready, backend._state = False, ReplicaState()
        return real()

    monkeypatch.setattr(module, "clock", replaced_meanwhile)
    with pytest.raises(TokenRevoked):
        backend.check(claims)
    assert backend.fallbacks > 0


def test_a_fault_after_the_end_is_nobody_s_business(
    replica: Any, phone: Device, caplog: Any
) -> None:
    """The interpreter, or a test's database, is going away beneath it."""
    backend = replica()
    backend.close()
    backend._background.run(lambda: 1 / 0)
    assert caplog.text == ""


def test_the_same_trouble_is_said_once(replica: Any, phone: Device, caplog: Any) -> None:
    backend = replica()
    for _ in range(3):
        backend._background._put_off("away")
    assert caplog.text.count("away") == 1


# --- redis


@pytest.fixture
def redis_away(settings: Any) -> None:
    settings.CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": AWAY}}


def test_a_strict_check_by_redis_is_one_round_trip_and_no_statement(
    replica: Any, cache_in_redis: Any, phone: Device, reads: list[str], monkeypatch: Any
) -> None:
    backend, claims = replica(log="redis", reconcile_interval=5.0), claims_of(phone)
    api.revoke_token(claims_of(phone, jti="another"))
    check_by_copy(claims)
    asked: list[int] = []
    ask = Stream._ask
    monkeypatch.setattr(Stream, "_ask", lambda self, packed: asked.append(1) or ask(self, packed))
    reads.clear()
    with CaptureQueriesContext(connection) as captured:
        for _ in range(3):
            assert backend.check(claims) is None
    assert (len(asked), len(reads), len(captured)) == (3, 0, 0)


def test_a_revoking_call_returns_once_it_is_published(
    replica: Any, cache_in_redis: Any, phone: Device
) -> None:
    replica(log="redis")
    api.end_session(phone.session_id)
    found = Stream("default", "{jwt_revoke}:log", 0.3).newest()
    assert found
    assert found[0].sequence == Revocation.objects.get().sequence


def test_while_redis_is_away_a_revoking_call_waits_until_everybody_has_compared(
    replica: Any, redis_away: None, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 1: each reader looks at the database that often, whatever it hears of Redis."""
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    replica(log="redis", reconcile_interval=0.5)
    answer = phone.post("/api/auth/logout/")
    assert (answer.status_code, slept) == (204, [0.5])


def test_publishing_never_raises(
    replica: Any, redis_away: None, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It runs after somebody's commit, which must not look as if it had failed."""
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    replica(log="redis", reconcile_interval=0.5)

    def fail(_using: str) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(module, "number", fail)
    assert api.end_session(phone.session_id)
    assert slept == [0.5]


def test_without_a_fallback_a_redis_that_is_away_is_503(
    replica: Any, redis_away: None, phone: Device
) -> None:
    """Invariant 4."""
    backend = replica(log="redis", fallback=None)
    until_ready(backend)
    answer = phone.get("/api/ping/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")


def test_a_redis_that_comes_back_is_followed_again(
    replica: Any, settings: Any, cache_in_redis: Any, phone: Device
) -> None:
    backend, claims = replica(log="redis"), claims_of(phone)
    check_by_copy(claims)
    backend._log._stream.close()
    backend.check(claims)
    assert not backend._log.connected

    def connected() -> bool:
        backend._background._retry_at = NEVER
        backend.check(claims)
        return bool(backend._log.connected)

    until(connected)


@pytest.mark.parametrize("log", ["database", "redis"])
def test_what_a_killed_process_left_is_passed_on_by_the_next_that_looks(
    replica: Any, cache_in_redis: Any, phone: Device, laptop: Device, log: str
) -> None:
    backend, claims = replica(log=log, reconcile_interval=0.1), claims_of(phone)
    check_by_copy(claims)
    with nobody_publishing():
        api.end_session(laptop.session_id)
    assert Revocation.objects.filter(sequence=None).count() == 1

    def numbered() -> bool:
        backend.check(claims)
        return not Revocation.objects.filter(sequence=None).exists()

    until(numbered)
    with pytest.raises(TokenRevoked):
        check_by_copy(claims_of(laptop))


@pytest.mark.parametrize(
    "again",
    [
        lambda phone: api.end_session(phone.session_id),
        lambda phone: api.revoke_sessions(phone.device_session.__class__.objects.all()),
        lambda phone: phone.post("/api/auth/logout/"),
        lambda phone: phone.post("/api/auth/logout/all/"),
    ],
    ids=["session", "sessions", "log-out", "log out everywhere"],
)
def test_a_call_repeated_after_its_process_died_returns_once_it_is_effective(
    replica: Any, cache_in_redis: Any, phone: Device, again: Any
) -> None:
    """Invariant 1: what is answered "done before" was committed, and perhaps not passed on."""
    backend, claims = replica(log="redis", reconcile_interval=5.0), claims_of(phone)
    api.revoke_token(claims_of(phone, jti="makes the stream begin"))
    check_by_copy(claims)
    with nobody_publishing():
        api.end_session(phone.session_id)
        api.revoke_user(claims.sub)
    again(phone)
    found = Stream("default", "{jwt_revoke}:log", 3).newest()
    assert found
    assert found[0].sequence == Revocation.objects.order_by("-sequence")[0].sequence >= 3
    with pytest.raises(TokenRevoked):
        backend.check(claims)


def test_a_token_denied_twice_is_passed_on_the_second_time(
    replica: Any, cache_in_redis: Any, phone: Device
) -> None:
    replica(log="redis")
    with nobody_publishing():
        assert api.revoke_token(phone.access)
    assert not api.revoke_token(phone.access)
    assert Stream("default", "{jwt_revoke}:log", 3).newest() is not None


@contextlib.contextmanager
def nobody_publishing() -> Iterator[None]:
    """As if each process died right after its commit."""
    publishers, log_of_the_database.publishers[:] = list(log_of_the_database.publishers), []
    try:
        yield
    finally:
        log_of_the_database.publishers[:] = publishers


def test_what_cannot_be_passed_on_yet_is_tried_again_later(
    replica: Any, cache_in_redis: Any, phone: Device, laptop: Device, settings: Any
) -> None:
    backend = replica(log="redis")
    check_by_copy(claims_of(phone))
    backend._publisher._away_until = module.clock() + 60
    backend._background.run(backend._publish_for_others)
    assert backend._background._retry_at > module.clock()


# --- processes


def in_a_child(action: Any) -> Any:
    """What ``action`` returned in a child that was forked from here, by way of JSON."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        with contextlib.suppress(BaseException):
            os.write(writing, json.dumps(action()).encode())
            status = 0
        os._exit(status)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    assert os.waitpid(child, 0)[1] == 0
    return json.loads(text)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("log", ["database", "redis"])
def test_a_forked_process_begins_with_an_empty_copy_of_its_own(
    replica: Any, cache_in_redis: Any, phone: Device, log: str
) -> None:
    backend, claims = replica(log=log, max_staleness=60), claims_of(phone)
    check_by_copy(claims)
    # A thread of the parent's that is inside SQLite as it forks leaves its locks to the child.
    until(lambda: not backend._background.is_busy)
    inherited = backend._log._connection

    def in_child() -> list[Any]:
        ready = backend.ready
        connection.connection = None  # Django's own: as a server that forks leaves it
        until_ready(backend)
        found = backend.check(claims) is None
        return [ready, found, backend._log._connection is inherited]

    assert in_a_child(in_child) == [False, True, False]
    # The parent's connection was neither used nor closed by the child.
    api.end_session(phone.session_id)
    with pytest.raises(TokenRevoked):
        backend.check(claims, 0)
    assert backend.fallbacks == 0


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_another_thread_reads_leaves_no_lock_behind(
    replica: Any, phone: Device
) -> None:
    backend = replica()
    until_ready(backend)
    until(lambda: not backend._background.is_busy)  # as above
    with backend._reading:
        free = in_a_child(lambda: backend._reading.acquire(timeout=1))
    assert free is True


# --- async code


def test_within_bounds_async_code_asks_no_other_thread(replica: Any, phone: Device) -> None:
    backend, claims = replica(max_staleness=60), claims_of(phone)
    until_ready(backend)

    async def check() -> int:
        before = threading.active_count()
        assert await backend.acheck(claims) is None
        return threading.active_count() - before

    assert asyncio.run(check()) == 0


# --- its end


def test_a_backend_that_was_closed_holds_no_connection(replica: Any, phone: Device) -> None:
    backend = replica()
    until_ready(backend)
    backend.close()
    assert backend._log._connection is None


def test_a_backend_closed_while_it_loads_hangs_up_afterwards(replica: Any, phone: Device) -> None:
    backend = replica()
    recover, started, go_on = backend._log.catch_up, threading.Event(), threading.Event()

    def held_up(state: Any) -> None:
        started.set()
        assert go_on.wait(20)
        recover(state)

    backend._log.catch_up = held_up
    backend.check(claims_of(phone))
    assert started.wait(20)
    backend.close()
    go_on.set()
    backend._background._thread.join()
    assert (backend.ready, backend._log._connection) == (False, None)


def test_changed_settings_close_it(replica: Any, settings: Any, phone: Device) -> None:
    backend = replica()
    until_ready(backend)
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "OPTIONS": {"max_staleness": 5}}
    assert get_backend() is not backend
    assert backend._log._connection is None


def test_its_figures(replica: Any, phone: Device, laptop: Device) -> None:
    backend = replica(max_staleness=60)
    before = backend.status()
    assert (before["ready"], before["age"], before["sequence"]) == (False, None, None)
    api.end_session(laptop.session_id)
    check_by_copy(claims_of(phone))
    after = backend.status()
    assert (after["ready"], after["sequence"], after["entries"]) == (True, 1, 1)
    assert 0 <= after["age"] < 20


def test_the_user_of_a_check_by_copy_is_read_when_it_is_needed(
    replica: Any, phone: Device, user: Any
) -> None:
    replica(max_staleness=60)
    check_by_copy(claims_of(phone))
    with CaptureQueriesContext(connection) as captured:
        assert phone.get("/api/ping/").status_code == 200
    assert len(captured) == 0
    with CaptureQueriesContext(connection) as captured:
        assert phone.get("/api/me/").json()["username"] == user.get_username()
    assert len(captured) == 1


def test_raw_sql_that_suspends_is_caught_where_the_user_is_read(
    replica: Any, phone: Device, user: Any
) -> None:
    replica(max_staleness=60)
    check_by_copy(claims_of(phone))
    get_user_model().objects.filter(pk=user.pk).update(is_active=False)
    assert phone.get("/api/ping/").status_code == 200
    refused_answer = phone.get("/api/me/")
    assert refused_answer.status_code == 401
    assert 'error="invalid_token"' in refused_answer["WWW-Authenticate"]


# --- ``sub`` as an opaque id (s12)


@pytest.fixture
def opaque(replica: Any, settings: Any) -> Any:
    """``opaque(**options)`` configures a replica for it and gives it, loaded."""

    def configure(**options: Any) -> Any:
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SUBJECT": "opaque"}
        backend = replica(**options)
        until_ready(backend)
        return backend

    return configure


def test_an_opaque_id_is_looked_up_at_first_sight_and_remembered(
    opaque: Any, user: Any, reads: list[str]
) -> None:
    backend = opaque(max_staleness=60)
    phone, laptop = Device(user), Device(user)
    reads.clear()
    costs = []
    for device in (phone, phone, laptop, phone):
        claims = claims_of(device)
        with CaptureQueriesContext(connection) as captured:
            assert backend.check(claims) is None
        costs.append(len(captured))
    assert (costs, len(reads), backend.fallbacks) == ([1, 0, 0, 0], 0, 0)


def test_by_an_opaque_id_a_request_asks_nobody_either(opaque: Any, user: Any) -> None:
    opaque(max_staleness=60)
    phone = Device(user)
    assert phone.get("/api/ping/").status_code == 200
    with CaptureQueriesContext(connection) as captured:
        assert phone.get("/api/ping/").status_code == 200
    assert len(captured) == 0


@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize(("effect", "refusal"), [("access", TokenStale), ("session", TokenRevoked)])
def test_a_renewed_id_is_refused_whether_or_not_it_is_remembered(
    opaque: Any, user: Any, seen: bool, effect: str, refusal: type[Exception]
) -> None:
    """Invariant 1: by the check itself, whoever asks it."""
    backend, claims = opaque(), claims_of(Device(user))
    if seen:
        assert backend.check(claims) is None
    api.renew_subject(user, effect=effect)
    with pytest.raises(refusal):
        backend.check(claims)
    assert backend.fallbacks == 0


def test_a_renewal_is_seen_once_the_bound_has_passed(opaque: Any, clock: Clock, user: Any) -> None:
    """Invariant 1: the log names the user by the key, as what is remembered does."""
    backend, claims = opaque(max_staleness=10), claims_of(Device(user))
    assert backend.check(claims) is None
    api.renew_subject(user)
    assert not refused(claims)
    clock.now += 10.01
    assert refused(claims)


def test_a_key_from_before_is_judged_by_the_rows(opaque: Any, phone: Device, user: Any) -> None:
    """The setting was changed on a running site: not let in, and not signed out."""
    backend = opaque(max_staleness=60)
    with pytest.raises(TokenStale):
        backend.check(claims_of(phone))
    api.revoke_user(user)
    with pytest.raises(TokenRevoked):
        backend.check(claims_of(phone))


def test_by_an_opaque_id_async_code_learns_the_same(opaque: Any, clock: Clock, user: Any) -> None:
    backend, claims = opaque(max_staleness=10), claims_of(Device(user))
    assert async_to_sync(backend.acheck)(claims) is None
    api.renew_subject(user)
    clock.now += 10.01
    for _past_the_bound_and_within_it in range(2):
        with pytest.raises(TokenRevoked):
            async_to_sync(backend.acheck)(claims)
