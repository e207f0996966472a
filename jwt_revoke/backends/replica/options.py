"""``OPTIONS`` of the replica: one field each, with its default and its rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any

from django.core import checks
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from ...models import write_alias
from .stream import cache_configuration

MAX_RECONCILE_INTERVAL = 5.0
"""Seconds. A revoking call waits so long while Redis is away."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the replica is told. Durations are seconds (a ``timedelta`` will do)."""

    max_staleness: float = 0.0
    """How long after a revocation returned a check may still accept; 0 = strict."""
    log: str = "database"
    """What is followed: ``"database"``, or ``"redis"``: a stream of the database's log."""
    alias: str = "default"
    """The cache (of django-redis) whose server holds the stream."""
    stream: str = "{jwt_revoke}:log"
    """Its key. Sites that share a Redis need one each; braces keep it on one node of a cluster."""
    fallback: str | None = "database"
    """Who answers while the log cannot be read: the database backend, or ``None``: 503."""
    reconcile_interval: float = 1.0
    """How often the stream is compared with the database: the bound where Redis lost an entry."""
    timeout: float = 0.3
    """How long a request waits for Redis, or for the log's own database connection."""
    listen: bool = False
    """PostgreSQL: hear of each revocation at once by LISTEN/NOTIFY, whatever ``max_staleness``."""

    @classmethod
    def names(cls) -> frozenset[str]:
        """What ``OPTIONS`` may hold."""
        return frozenset(field.name for field in fields(cls))

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """The options as the site wrote them. Raises ``ImproperlyConfigured``."""
        values: dict[str, Any] = {
            name: value.total_seconds() if isinstance(value, timedelta) else value
            for name, value in given.items()
        }
        options = cls(**values)
        for name, valid, hint in (
            ("max_staleness", _number(options.max_staleness, least=0), "seconds, 0 or more"),
            ("log", options.log in ("database", "redis"), '"database" or "redis"'),
            ("alias", _is_text(options.alias), "the name of a cache"),
            ("stream", _is_text(options.stream), "a key of Redis"),
            ("fallback", options.fallback in ("database", None), '"database" or None'),
            (
                "reconcile_interval",
                _number(options.reconcile_interval, least=0.1, most=MAX_RECONCILE_INTERVAL),
                f"seconds, 0.1 to {MAX_RECONCILE_INTERVAL:g}",
            ),
            ("timeout", _number(options.timeout, least=0.01, most=10), "seconds, 0.01 to 10"),
            ("listen", options.listen in (True, False), "True or False"),
        ):
            if not valid:
                raise ImproperlyConfigured(f"JWT_REVOKE['OPTIONS'][{name!r}]: set {hint}.")
        if options.log == "redis":
            cache_configuration(options.alias)
        return options

    def system_checks(self) -> Sequence[CheckMessage]:
        """What ``manage.py check`` says of them."""
        messages: list[CheckMessage] = []
        connection: Any = connections[write_alias()]
        postgresql = connection.vendor == "postgresql"
        psycopg2 = postgresql and not hasattr(connection.Database, "pq")
        if self.listen and (not postgresql or psycopg2):
            messages.append(
                checks.Error(
                    "JWT_REVOKE['OPTIONS']['listen'] needs PostgreSQL and psycopg 3.",
                    hint="Leave it out: max_staleness bounds the delay by itself.",
                    id="jwt_revoke.E301",
                )
            )
        elif psycopg2:
            messages.append(
                checks.Warning(
                    "psycopg2 cannot bound its waits: while PostgreSQL hangs, a check does.",
                    hint="Install psycopg 3: pip install 'psycopg[binary]'.",
                    id="jwt_revoke.W302",
                )
            )
        if self.listen and self.max_staleness == 0:
            messages.append(
                checks.Warning(
                    "JWT_REVOKE['OPTIONS']['listen'] has no use with max_staleness 0: every check "
                    "reads the log anyway.",
                    hint="Set a max_staleness, e.g. of 30 seconds, or leave listen out.",
                    id="jwt_revoke.W303",
                )
            )
        return messages


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _number(value: Any, *, least: float, most: float = float("inf")) -> bool:
    return type(value) in (int, float) and least <= value <= most
