"""Redis's stream: what a reader takes for silence, and what for a loss."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from jwt_revoke.backends.replica.entry import Cursor, Entry
from jwt_revoke.backends.replica.stream import Stream, StreamAway, StreamLost, cache_configuration

pytestmark = [pytest.mark.once, pytest.mark.redis]

KEY = "{jwt_revoke}:log"


def entry(number: int, uid: str = "") -> Entry:
    return Entry(number, uid or f"{number:032x}", None, "user", "7", "session", 5, 99)


def cursor(number: int) -> Cursor:
    return Cursor(number, entry(number).uid)


@pytest.fixture
def stream(cache_in_redis: Any) -> Any:
    stream = Stream("default", KEY, 0.3)
    yield stream
    stream.close()


@pytest.fixture
def begun(stream: Stream) -> str:
    """The stream with entries 10 to 12; its incarnation."""
    stream.begin(entry(10))
    found = stream.newest()
    assert found
    stream.add([entry(11), entry(12)], found[1])
    return found[1]


def test_no_stream_has_no_newest(stream: Stream) -> None:
    assert stream.newest() is None


def test_the_newest_is_what_was_added_last(stream: Stream, begun: str) -> None:
    assert stream.newest() == (cursor(12), begun)
    assert stream.length() == 3


def test_what_comes_after_the_cursor_is_read_in_order(stream: Stream, begun: str) -> None:
    assert stream.after(cursor(10), begun) == [entry(11), entry(12)]


def test_nothing_new_is_nothing(stream: Stream, begun: str) -> None:
    for _ in range(3):
        assert stream.after(cursor(12), begun) == []


def test_what_comes_after_silence_is_read(stream: Stream, begun: str) -> None:
    assert stream.after(cursor(12), begun) == []
    stream.add([entry(13)], begun)
    assert stream.after(cursor(12), begun) == [entry(13)]


@pytest.mark.parametrize("command", [("FLUSHALL",), ("DEL", KEY), ("XTRIM", KEY, "MAXLEN", "0")])
def test_a_stream_that_is_gone_is_a_loss(
    stream: Stream, begun: str, redis: Any, command: tuple[str, ...]
) -> None:
    """Invariant 3: a bare XREAD would take each of these for silence."""
    assert stream.after(cursor(12), begun) == []
    with redis.client() as client:
        client.execute_command(*command)
    with pytest.raises(StreamLost):
        stream.after(cursor(12), begun)


def test_a_cursor_that_was_trimmed_away_is_a_loss(stream: Stream, begun: str, redis: Any) -> None:
    with redis.client() as client:
        client.xtrim(KEY, maxlen=1, approximate=False)
    with pytest.raises(StreamLost):
        stream.after(cursor(10), begun)
    assert stream.after(cursor(12), begun) == []


def test_a_gap_is_a_loss(stream: Stream, begun: str, redis: Any) -> None:
    with redis.client() as client:
        client.xdel(KEY, "11-0")
    with pytest.raises(StreamLost):
        stream.after(cursor(10), begun)


def test_another_entry_at_the_cursor_is_a_loss(stream: Stream, begun: str) -> None:
    """The database was set back, and the number given a second time."""
    with pytest.raises(StreamLost):
        stream.after(Cursor(12, "f" * 32), begun)


def test_a_stream_begun_anew_is_a_loss(stream: Stream, begun: str) -> None:
    """What was added to the former one meanwhile is not in it."""
    assert stream.after(cursor(12), begun) == []
    stream.begin(entry(12))
    with pytest.raises(StreamLost):
        stream.after(cursor(12), begun)


def test_a_new_incarnation_is_not_mistaken_for_the_last_answer(stream: Stream, begun: str) -> None:
    assert stream.after(cursor(12), begun) == []
    with pytest.raises(StreamLost):
        stream.after(cursor(12), "another")
    assert stream.after(cursor(12), begun) == []


def test_more_than_a_page_is_not_taken_for_all_there_is(
    stream: Stream, begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 1: a thousand revocations between two reads, and the one that matters is last."""
    monkeypatch.setattr("jwt_revoke.backends.replica.stream.READ", 3)
    with pytest.raises(StreamLost):
        stream.after(cursor(10), begun)
    assert stream.after(cursor(11), begun) == [entry(12)]


def test_adding_twice_adds_once(stream: Stream, begun: str) -> None:
    """Two processes publish the same entries: refused is what stands there."""
    stream.add([entry(11), entry(12)], begun)
    assert stream.length() == 3


def test_another_entry_where_ours_should_stand_is_a_loss(stream: Stream, begun: str) -> None:
    with pytest.raises(StreamLost):
        stream.add([entry(12, "f" * 32)], begun)


def test_a_lost_stream_is_not_brought_back_to_life_by_one_entry(
    stream: Stream, begun: str, redis: Any
) -> None:
    """A process that was stopped goes on publishing where it was."""
    with redis.client() as client:
        client.flushall()
        with pytest.raises(StreamLost):
            stream.add([entry(13)], begun)
        assert client.exists(KEY) == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"a": "b"},
        {"incarnation": "x", "entry": "not JSON"},
        {"incarnation": "x", "entry": "[1]"},
        {"incarnation": "x", "entry": json.dumps(entry(99))},
    ],
)
def test_what_we_did_not_write_is_a_loss(
    stream: Stream, redis: Any, fields: dict[str, str]
) -> None:
    with redis.client() as client:
        client.xadd(KEY, fields, id="12-0")
    with pytest.raises(StreamLost):
        stream.newest()


@pytest.mark.parametrize("kind", ["SET", "LPUSH"])
def test_a_key_of_another_type_is_as_good_as_away(stream: Stream, redis: Any, kind: str) -> None:
    with redis.client() as client:
        client.execute_command(kind, KEY, "x")
    with pytest.raises(StreamAway):
        stream.newest()


def test_a_redis_without_memory_is_away_for_writing(stream: Stream, begun: str, redis: Any) -> None:
    with redis.client() as client:
        client.config_set("maxmemory", "1mb")
        client.config_set("maxmemory-policy", "noeviction")
        try:
            with pytest.raises(StreamAway):
                stream.add([entry(13)], begun)
        finally:
            client.config_set("maxmemory", "0")


def test_old_entries_are_trimmed_and_the_newest_never(
    stream: Stream, begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_revoke.backends.replica.stream.MAX_LENGTH", 100)
    for first in range(13, 613, 100):
        stream.add([entry(number) for number in range(first, first + 100)], begun)
    assert stream.length() < 400
    assert stream.newest() == (cursor(612), begun)


def test_a_server_that_hangs_is_given_up_in_time(settings: Any) -> None:
    """Invariant 4: connected, and then not a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        location = f"redis://127.0.0.1:{port}/0"
        settings.CACHES = {
            "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location}
        }
        begun = time.monotonic()
        with pytest.raises(StreamAway):
            Stream("default", KEY, 0.2)
        assert time.monotonic() - begun < 1


def test_the_cache_s_own_pool_and_patience_do_not_reach_us(redis: Any, settings: Any) -> None:
    """django-redis keys its pools by URL: whoever comes second gets the first one's options."""
    from django.core.cache import caches

    options = {
        "IGNORE_EXCEPTIONS": True,
        "SOCKET_TIMEOUT": 60,
        "CONNECTION_POOL_KWARGS": {"socket_timeout": 60, "decode_responses": True},
    }
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": redis.url,
            "OPTIONS": options,
        }
    }
    caches["default"].get("anything")
    stream = Stream("default", KEY, 0.3)
    stream.begin(entry(1))
    found = stream.newest()
    assert found is not None
    assert found[0] == cursor(1)
    redis.stop()
    try:
        begun = time.monotonic()
        with pytest.raises(StreamAway):
            stream.newest()
        assert time.monotonic() - begun < 1
    finally:
        redis.cont()
        stream.close()


def test_a_connection_that_was_closed_is_of_no_more_use(stream: Stream, begun: str) -> None:
    """It must not be opened again behind our back: a new one has to be compared first."""
    stream.close()
    with pytest.raises(StreamAway):
        stream.after(cursor(12), begun)


def test_a_cache_that_there_is_not(settings: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="nowhere"):
        cache_configuration("nowhere")


def test_a_cache_that_is_not_in_redis(settings: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="django_redis"):
        cache_configuration("default")


@pytest.mark.parametrize(
    "location",
    ["redis://a:1/0", ["redis://a:1/0", "redis://b:1/0"], "redis://a:1/0,redis://b:1/0"],
)
def test_of_several_locations_the_primary_is_read(settings: Any, location: Any) -> None:
    """Never a Redis replica, which lags."""
    settings.CACHES = {
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location}
    }
    assert cache_configuration("default") == ({}, "redis://a:1/0")


@pytest.mark.parametrize("query", ["is_master=0", "is_master=False", "db=1&is_master=no"])
def test_sentinel_s_replicas_are_refused(settings: Any, query: str) -> None:
    """They lag: a revocation that was acknowledged would be missing."""
    settings.CACHES = {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"redis://site/0?{query}",
        }
    }
    with pytest.raises(ImproperlyConfigured, match="is_master"):
        cache_configuration("default")


def test_a_sentinel_that_is_asked_for_its_master(settings: Any) -> None:
    location = "redis://site/0?is_master=1"
    settings.CACHES = {
        "default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": location}
    }
    assert cache_configuration("default") == ({}, location)


def test_redis_is_an_extra(cache_in_redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ImproperlyConfigured, match=r"django-jwt-revoke\[redis\]"):
        Stream("default", KEY, 0.3)


def test_threads_that_took_turns_read_one_answer_each(stream: Stream, begun: str) -> None:
    turn = threading.Lock()
    found: list[int] = []

    def read() -> None:
        for _ in range(50):
            with turn:
                found.append(len(stream.after(cursor(10), begun)))

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(found) == {2}
