"""The log by Redis: whatever Redis loses, the database's log is read before anybody is answered."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from jwt_revoke.backends.replica import redis_log
from jwt_revoke.backends.replica.database_log import Behind, LogLost
from jwt_revoke.backends.replica.publishing import StreamPublisher
from jwt_revoke.backends.replica.redis_log import RedisLog, RedisNeeded
from jwt_revoke.backends.replica.state import ReplicaState
from jwt_revoke.backends.replica.stream import Stream
from jwt_revoke.models import LogCounter, Revocation
from jwt_revoke.numbering import number
from tests.backends.replica.entries import append

pytestmark = pytest.mark.django_db(transaction=True)

KEY = "{jwt_revoke}:log"


class Reader:
    """A log with its state, its database reads counted, and a clock to be set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, needed: bool = False) -> None:
        self.now = 1000.0
        monkeypatch.setattr(redis_log, "clock", lambda: self.now)
        self.log = RedisLog("default", 5.0, 1.0, needed=needed)
        self.state = ReplicaState()
        self.database_reads = 0
        page = self.log._page

        def count(*args: Any) -> Any:
            self.database_reads += 1
            return page(*args)

        self.log._page = count

    def connect(self) -> None:
        self.log.take_stream(Stream("default", KEY, 3))

    def read(self) -> set[str]:
        self.log.read(self.state)
        return set(self.state.users)

    def catch_up(self) -> set[str]:
        self.log.catch_up(self.state)
        self.database_reads = 0
        return set(self.state.users)


@pytest.fixture
def reader(cache_in_redis: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Loaded, connected, and level with the stream."""
    revoke("0")
    reader = Reader(monkeypatch)
    reader.connect()
    reader.catch_up()
    yield reader
    reader.log.close()


def publish() -> bool:
    publisher = StreamPublisher("default", KEY, 3)
    done = publisher.publish("default")
    publisher.close()
    return done


def revoke(subject: str) -> None:
    append(subject)
    number("default")
    assert publish()


def test_what_is_published_is_read_without_the_database(reader: Reader) -> None:
    revoke("1")
    assert reader.read() == {"0", "1"}
    assert reader.database_reads == 0


def test_the_database_is_compared_once_an_interval(reader: Reader) -> None:
    reader.now += 0.99
    reader.read()
    assert reader.database_reads == 0
    reader.now += 0.02
    reader.read()
    reader.read()
    assert reader.database_reads == 1


def test_an_entry_that_was_never_published_is_found_within_the_interval(reader: Reader) -> None:
    """Invariant 1: its process was killed between commit and publish."""
    append("1")
    assert reader.read() == {"0"}
    reader.now += 1
    assert reader.read() == {"0", "1"}
    assert reader.log.unpublished_since is not None


@pytest.mark.parametrize("loss", ["flush", "trim", "a stalled process begins it anew"])
def test_whatever_redis_loses_the_database_answers_at_once(
    reader: Reader, redis: Any, loss: str
) -> None:
    """Invariant 3."""
    reader.read()
    revoke("1")
    with redis.client() as client:
        if loss == "flush":
            client.flushall()
        elif loss == "trim":
            client.xtrim(KEY, maxlen=0, approximate=False)
        else:
            client.delete(KEY)
            Stream("default", KEY, 3).begin(entry_of("0"))
    assert reader.read() == {"0", "1"}
    assert reader.database_reads == 1


def test_after_a_loss_redis_is_trusted_again_once_it_is_level(reader: Reader, redis: Any) -> None:
    with redis.client() as client:
        client.flushall()
    reader.read()
    assert reader.log.unpublished_since is not None
    publish()
    reader.read()
    assert reader.database_reads == 2
    revoke("1")
    assert reader.read() == {"0", "1"}
    assert reader.database_reads == 2


def test_a_tail_that_was_lost_in_silence_is_found_within_the_interval(
    reader: Reader, redis: Any
) -> None:
    """The same stream without its last entry, on the same connection: nothing in it shows that."""
    revoke("1")
    with redis.client() as client:
        client.xdel(KEY, "2-0")
    assert reader.read() == {"0"}
    reader.now += 1
    assert reader.read() == {"0", "1"}


def test_a_stream_begun_anew_while_the_database_is_read_is_noticed(
    reader: Reader, redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The incarnation is the one of before the read, not the one found after it."""
    reader.now += 1
    page = reader.log._page

    def meanwhile(*args: Any) -> Any:
        found = page(*args)
        revoke("1")  # acknowledged, after our read
        with redis.client() as client:
            client.delete(KEY)
        reader.log._page = page
        Stream("default", KEY, 3).begin(entry_of("0"))  # and swallowed by a stalled process
        return found

    reader.log._page = meanwhile
    assert reader.read() == {"0"}
    assert reader.read() == {"0", "1"}


def entry_of(subject: str) -> Any:
    from jwt_revoke.backends.replica.publishing import _entry

    return _entry(Revocation.objects.get(subject=subject))


def test_a_new_connection_is_compared_with_the_database_first(reader: Reader) -> None:
    """A fail-over: what the new master lacks, this reader may never have seen."""
    append("1")
    number("default")
    reader.connect()
    assert reader.read() == {"0", "1"}
    assert reader.database_reads == 1


def test_while_redis_is_away_the_database_answers(reader: Reader) -> None:
    assert reader.log._stream
    reader.log._stream.close()
    append("1")
    assert reader.read() == {"0", "1"}
    assert not reader.log.connected
    append("2")
    assert reader.read() == {"0", "1", "2"}


def test_without_a_fallback_it_cannot_know(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 4."""
    strict = Reader(monkeypatch, needed=True)
    strict.connect()
    strict.catch_up()
    strict.read()
    assert strict.log._stream
    strict.log._stream.close()
    for _ in range(2):
        with pytest.raises(RedisNeeded):
            strict.read()
    strict.connect()
    strict.read()
    strict.log.close()


def test_a_batch_is_left_to_the_background(reader: Reader) -> None:
    batch = uuid4()
    append("1", batch=batch)
    append("2", batch=batch, sequence=0)
    number("default")
    publish()
    with pytest.raises(Behind):
        reader.read()
    assert reader.catch_up() == {"0", "1", "2"}
    assert reader.read() == {"0", "1", "2"}
    assert reader.database_reads == 0


def test_a_database_set_back_is_found_within_the_interval(reader: Reader) -> None:
    """Invariant 6: the stream goes on as if nothing had happened; the database is the truth."""
    revoke("1")
    reader.read()
    Revocation.objects.filter(subject="1").delete()
    LogCounter.objects.update(value=1)
    revoke("everyone else")
    reader.now += 1
    with pytest.raises(LogLost):
        reader.read()
    reader.log.forget()
    reader.state = ReplicaState()
    assert reader.catch_up() == {"0", "everyone else"}


def test_a_publisher_passes_on_what_others_left(reader: Reader) -> None:
    append("1")
    append("2")
    number("default")
    revoke("3")
    assert reader.read() == {"0", "1", "2", "3"}
    assert reader.database_reads == 0


def test_a_publisher_far_behind_begins_anew(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_revoke.backends.replica.publishing._AT_ONCE", 2)
    for subject in "1234":
        append(subject)
    number("default")
    publish()
    assert reader.read() == {"0", "1", "2", "3", "4"}
    assert reader.database_reads == 1


def test_a_publisher_before_the_first_entry_has_nothing_to_do(cache_in_redis: Any) -> None:
    assert publish()
    assert Stream("default", KEY, 3).newest() is None


def test_a_publisher_meets_a_stream_of_another_database(reader: Reader) -> None:
    """Its newest entry is not in our log: the readers have to look at the database."""
    revoke("1")
    Revocation.objects.all().delete()
    revoke("other")
    with pytest.raises(LogLost):
        reader.read()


def test_a_publisher_leaves_a_redis_that_is_away_alone_for_a_while(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each revocation would else wait for the whole time-out."""
    settings.CACHES = {
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    }
    asked: list[int] = []
    publisher = StreamPublisher("default", KEY, 3)
    monkeypatch.setattr(
        "jwt_revoke.backends.replica.publishing.Stream",
        lambda *args: asked.append(1) or Stream(*args),
    )
    assert [publisher.publish("default") for _ in range(3)] == [False] * 3
    assert asked == [1]
    publisher._away_until = 0
    assert not publisher.publish("default")
    assert asked == [1, 1]


def test_a_publisher_that_waits_too_long_for_its_turn_says_so(cache_in_redis: Any) -> None:
    publisher = StreamPublisher("default", KEY, 0.05)
    with publisher._lock:
        assert not publisher.publish("default")


def test_a_publisher_that_has_nothing_to_add_adds_nothing(reader: Reader) -> None:
    assert publish()
    reader.read()
    assert reader.database_reads == 0


def spoil(redis: Any) -> None:
    """Somebody else's entry, the newest of all."""
    with redis.client() as client:
        client.xadd(KEY, {"somebody": "else"}, id="99-0")


def test_a_publisher_that_finds_somebody_else_s_entry_begins_anew(
    reader: Reader, redis: Any
) -> None:
    spoil(redis)
    revoke("1")
    found = Stream("default", KEY, 3).newest()
    assert found
    assert found[0].sequence == 2
    assert reader.read() == {"0", "1"}


def test_a_reader_that_finds_somebody_else_s_entry_asks_the_database(
    reader: Reader, redis: Any
) -> None:
    spoil(redis)
    append("1")
    number("default")
    assert reader.read() == {"0", "1"}
    assert reader.database_reads == 1
