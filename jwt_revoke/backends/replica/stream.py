"""Redis's stream of log entries, over one connection of our own.

The id of an entry is its number in the log, ``<sequence>-0``. It carries what a reader needs and
the stream's *incarnation*, a random word that whoever begins the stream anew chooses: a reader
that finds another one knows that entries may have been lost between.

Django's cache and this share a configuration and nothing else. django-redis keys its pools by URL
alone, so that our time-outs would be lost in a pool that the cache made; redis-py retries ten
times by default, so that a hung Redis would cost a request seconds; and ``IGNORE_EXCEPTIONS`` must
not turn "I cannot know" into "nothing new".
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.connection import ConnectionDoesNotExist

from ...exceptions import JWTRevokeError
from .entry import Cursor, Entry

MAX_LENGTH: Final = 10_000
"""Entries kept, roughly. Who is further behind reads the database. (Redis never trims the last.)"""

READ: Final = 1000
"""Entries asked for at once, the last one read among them."""
_FIELDS: Final = (b"incarnation", b"entry")


class StreamAway(JWTRevokeError):
    """Redis does not answer, or not as a master that holds the key."""

    slug = "stream_away"


class StreamLost(JWTRevokeError):
    """The stream is not the one that was read before, or lacks what it held."""

    slug = "stream_lost"


class Stream:
    """The commands, each one round trip. Not thread-safe: callers take turns.

    Every call raises ``StreamAway``, after which the connection is closed and of no more use.
    """

    def __init__(self, alias: str, key: str, timeout: float) -> None:
        self._key = key
        self._closed = False
        self._asked: tuple[Cursor, str] | None = None
        self._packed: Any = None
        self._anchor: Any = None
        with _translated():
            self._connection = _connect(alias, key, timeout)

    def after(self, cursor: Cursor, incarnation: str) -> list[Entry]:
        """The entries after the cursor, oldest first.

        Inclusive: what stands at the cursor must be what was read there, and the numbers gap-free.
        Raises ``StreamLost`` otherwise: flushed, evicted, trimmed, failed over, begun anew. A read
        that asks only for what is newer would take each of those for silence. Also raised when
        there are ``READ`` entries or more.
        """
        if self._asked != (cursor, incarnation):
            self._asked = (cursor, incarnation)
            start = f"{cursor.sequence}-0"
            command = ("XRANGE", self._key, start, "+", "COUNT", READ)
            self._packed = self._connection.pack_command(*command)
            self._anchor = None
        reply = self._ask(self._packed)
        if reply == self._anchor:
            return []
        entries = [_parsed(item) for item in reply]
        expected = cursor.sequence
        for found, entry in entries:
            if found != incarnation or entry.sequence != expected:
                raise StreamLost("another incarnation, or a gap")
            expected += 1
        if not entries or entries[0][1].uid != cursor.uid:
            raise StreamLost("the last entry read is not there")
        if len(entries) == READ:
            # There may be more, and who has not read all of it has not read enough.
            raise StreamLost("more than a page behind")
        if len(entries) == 1:
            self._anchor = reply
        return [entry for _incarnation, entry in entries[1:]]

    def newest(self) -> tuple[Cursor, str] | None:
        """The last entry's number and ``uid``, and the incarnation; ``None`` without a stream."""
        reply = self._command("XREVRANGE", self._key, "+", "-", "COUNT", 1)
        if not reply:
            return None
        incarnation, entry = _parsed(reply[0])
        return Cursor(entry.sequence or 0, entry.uid), incarnation

    def add(self, entries: Sequence[Entry], incarnation: str) -> None:
        """Append entries, the next after the newest.

        ``NOMKSTREAM``: a process that was stopped for a while must not bring a lost stream back to
        life with its one entry. Refused is what stands there already, if it has our ``uid``.
        Raises ``StreamLost`` when it has not, or when there is no stream.
        """
        commands = [
            (
                *("XADD", self._key, "NOMKSTREAM", "MAXLEN", "~", MAX_LENGTH),
                *(f"{entry.sequence}-0", *_fields(entry, incarnation)),
            )
            for entry in entries
        ]
        for entry, answer in zip(entries, self._pipeline(commands), strict=True):
            if answer is None:
                raise StreamLost("there is no stream")
            if isinstance(answer, Exception) and not self._stands(entry):
                raise StreamLost("another entry stands there")

    def begin(self, entry: Entry) -> None:
        """Begin the stream anew, with the newest entry alone: readers catch up by the database."""
        incarnation = secrets.token_hex(8)
        add = ("XADD", self._key, f"{entry.sequence}-0", *_fields(entry, incarnation))
        self._pipeline([("MULTI",), ("DEL", self._key), add, ("EXEC",)])

    def length(self) -> int:
        """How many entries it holds."""
        return int(self._command("XLEN", self._key))

    def close(self) -> None:
        """Close the connection."""
        self._closed = True
        self._connection.disconnect()

    def _stands(self, entry: Entry) -> bool:
        start = f"{entry.sequence}-0"
        reply = self._command("XRANGE", self._key, start, start)
        return bool(reply) and _parsed(reply[0])[1].uid == entry.uid

    def _command(self, *command: Any) -> Any:
        return self._ask(self._connection.pack_command(*command))

    def _ask(self, packed: Any) -> Any:
        self._require_open()
        with _translated():
            try:
                # No health check: it would be a second round trip, and a time-out says the same.
                self._connection.send_packed_command(packed, check_health=False)
                return self._connection.read_response()
            except BaseException:
                # Including what Redis says about its own state (READONLY, MOVED, LOADING, OOM):
                # whoever serves the key now is to be looked for.
                self.close()
                raise

    def _require_open(self) -> None:
        # redis-py would connect again by itself, and what was lost in between go unnoticed.
        if self._closed:
            raise StreamAway("Redis: closed")

    def _pipeline(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """All commands at once; each one's answer, or the error that Redis gave for it."""
        answers: list[Any] = []
        self._require_open()
        with _translated():
            try:
                packed = self._connection.pack_commands(commands)
                self._connection.send_packed_command(packed, check_health=False)
                for _command in commands:
                    try:
                        answers.append(self._connection.read_response())
                    except _redis().ResponseError as error:
                        if not str(error).startswith(_REFUSED):
                            raise
                        answers.append(error)
            except BaseException:
                self.close()
                raise
        return answers


_REFUSED: Final = "The ID specified in XADD is equal or smaller"


class _translated:  # noqa: N801  (reads as the statement it is)
    """Whatever redis-py raises as ``StreamAway``. The message has no key, value or password."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, _traceback: Any) -> None:
        if error is None:
            return  # on the path of every strict check
        if isinstance(error, (_redis().RedisError, OSError, IndexError, ValueError)):
            raise StreamAway(f"Redis: {type(error).__name__}") from error


def _redis() -> Any:
    try:
        import redis  # noqa: PLC0415  (the extra "redis" is optional)
    except ImportError:
        raise ImproperlyConfigured(
            "OPTIONS['log'] is \"redis\" and redis is not installed: "
            "pip install 'django-jwt-revoke[redis]'"
        ) from None
    return redis


def _connect(alias: str, key: str, timeout: float) -> Any:
    """A connection to whoever serves ``key``, by the configuration of that cache.

    Plain and Sentinel by django-redis's factories; a factory that has ``connection_for`` (ours for
    Cluster) finds the connection itself.
    """
    # Late: the extra is optional, and a replica that follows the database need not load it.
    redis = _redis()
    from django_redis.pool import (  # type: ignore[import-untyped]  # noqa: PLC0415  (as above)
        get_connection_factory,
    )

    options, location = cache_configuration(alias)
    bounds = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": redis.retry.Retry(redis.backoff.NoBackoff(), 0),
        "health_check_interval": 0,
    }
    ours = {**bounds, "decode_responses": False, "protocol": 2}
    options["CONNECTION_POOL_KWARGS"] = {**options.get("CONNECTION_POOL_KWARGS", {}), **ours}
    if "SENTINELS" in options:  # who would be asked with redis-py's time-outs and retries
        options["SENTINEL_KWARGS"] = {**(options.get("SENTINEL_KWARGS") or {}), **bounds}
    options |= {"SOCKET_TIMEOUT": timeout, "SOCKET_CONNECT_TIMEOUT": timeout}
    # By name: django-redis 6 has a path before it, which 7 has no longer.
    factory: Any = get_connection_factory(options=options)
    find = getattr(factory, "connection_for", None)
    if find is not None:
        connection = find(location, key)
    else:
        # Not get_or_create_connection_pool: that one is shared, by URL.
        pool = factory.get_connection_pool(factory.make_connection_params(location))
        connection = pool.make_connection()
        connection.jwt_revoke_pool = pool  # Sentinel's connections hold it by a weak reference
    connection.connect()
    return connection


def cache_configuration(alias: str) -> tuple[dict[str, Any], str]:
    """``OPTIONS`` (a copy) and the first location of a cache. Raises ``ImproperlyConfigured``."""
    try:
        configured: dict[str, Any] = settings.CACHES[alias]
    except (KeyError, ConnectionDoesNotExist):
        raise ImproperlyConfigured(
            f"JWT_REVOKE['OPTIONS']['alias'] names the cache {alias!r}, which CACHES lacks."
        ) from None
    if not str(configured.get("BACKEND", "")).startswith("django_redis."):
        raise ImproperlyConfigured(
            f"CACHES[{alias!r}] is no django_redis cache, and the log is to be read from Redis: "
            "set its BACKEND to 'django_redis.cache.RedisCache'."
        )
    location: Any = configured.get("LOCATION", "")
    if not isinstance(location, str):
        location = next(iter(location), "")  # the primary; replicas are never read
    location = location.split(",")[0].strip()
    for value in parse_qs(urlsplit(location).query).get("is_master", []):
        if value[:1].lower() in {"0", "f", "n"}:
            raise ImproperlyConfigured(
                f"CACHES[{alias!r}] reads Sentinel's replicas (is_master), which lag: name a cache "
                "of the master in JWT_REVOKE['OPTIONS']['alias']."
            )
    return dict(configured.get("OPTIONS", {})), location


def _fields(entry: Entry, incarnation: str) -> tuple[Any, ...]:
    return _FIELDS[0], incarnation, _FIELDS[1], json.dumps(entry, separators=(",", ":"))


def _parsed(item: Any) -> tuple[str, Entry]:
    """Incarnation and entry of one item; ``StreamLost`` for what we did not write."""
    try:
        stream_id, (_name, incarnation, _other, text) = item
        entry = Entry(*json.loads(text))
        if stream_id != f"{entry.sequence}-0".encode():
            raise StreamLost("an id that is not its entry's number")
        return incarnation.decode(), entry
    except (TypeError, ValueError):
        raise StreamLost("not an entry of ours") from None
