"""A process that fills one contender's tables with years of use: ``growth.py`` starts it.

By the database itself, from a row that the contender made: so their width is the real one.
"""

from __future__ import annotations

import io
import itertools
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from django.db import connection

from benchmarks.cloning import clone, execute
from benchmarks.tallying import rows_in
from benchmarks.weighing import peak
from benchmarks.writing import Writer, ready_writer, timed

_USERS: Final = 100_000
_SESSION: Final = "jwt_revoke_device_session"
_STATE: Final = "jwt_revoke_user_token_state"
_OUTSTANDING: Final = "token_blacklist_outstandingtoken"
_BLACKLISTED: Final = "token_blacklist_blacklistedtoken"
_VACUUMED_AT: Final = 0.2
"""PostgreSQL's default for what part of a table may be dead before it is vacuumed by itself."""
_CHECKS: Final = 20


class Ours:
    """One row for a session: a refresh updates it."""

    def fill(self, sessions: int) -> None:
        """Signed in through 90 days, and over for so long by now that nothing keeps them."""
        first = first_user()
        user = f"{first} + mod(i, {_USERS})"
        clone(_STATE, _USERS, {"user_id": user, "subject": "gen_random_uuid()"})
        made = f"now() - interval '500 days' - i * interval '90 days' / {sessions}"
        times = {
            **dict.fromkeys(["created_at", "authenticated_at", "last_used_at"], made),
            **dict.fromkeys(["expires_at", "idle_expires_at"], f"{made} + interval '90 days'"),
        }
        clone(_SESSION, sessions, {"id": "gen_random_uuid()", "user_id": user, **times})

    def refresh(self, count: int, active: int) -> None:
        """Every one of them, by an update as a refresh makes it; vacuumed as by default."""
        execute(f"CREATE TEMPORARY TABLE active AS SELECT id FROM {_SESSION} LIMIT {active}")
        allowed = rows_in([_SESSION])[_SESSION] * _VACUUMED_AT
        dead = 0
        for _ in range(count // active):
            execute(
                f"UPDATE {_SESSION} SET refresh_counter = refresh_counter + 1,"
                " rotated_at = now(), last_used_at = now(),"
                " idle_expires_at = idle_expires_at + interval '1 second'"
                f" FROM active WHERE {_SESSION}.id = active.id"
            )
            dead += active
            if dead >= allowed:
                execute(f"VACUUM {_SESSION}")
                dead = 0

    def use_up(self) -> None:
        """A session is over by its times."""

    def prune(self) -> None:
        """As from cron."""
        call_quietly("jwt_revoke", "prune")


class SimpleJWT:
    """A row for each refresh token there was, and another once it is blacklisted."""

    def __init__(self, writer: Writer) -> None:
        self._each = made_by_a_refresh(writer)[_OUTSTANDING]

    def fill(self, sessions: int) -> None:
        """Signed in, and expired by now."""
        self._outstanding(sessions * self._each, "now() - interval '1 day'")

    def refresh(self, count: int, _active: int) -> None:
        """The rows that they leave; of each the old refresh token is blacklisted."""
        first = self._outstanding(count * self._each, "now() + interval '14 days'")
        clone(_BLACKLISTED, count, {"token_id": f"{first} - 1 + i"})

    def use_up(self) -> None:
        """Blacklist those that have expired: each was refreshed once."""
        execute(
            f"INSERT INTO {_BLACKLISTED} (blacklisted_at, token_id)"
            f" SELECT now(), id FROM {_OUTSTANDING} WHERE expires_at < now()"
        )

    def prune(self) -> None:
        """As from cron."""
        call_quietly("flushexpiredtokens")

    def _outstanding(self, count: int, expires: str) -> int:
        user = f"{first_user()} + mod(i, {_USERS})"
        jti = "replace(gen_random_uuid()::text, '-', '')"
        return clone(_OUTSTANDING, count, {"user_id": user, "jti": jti, "expires_at": expires})


def main() -> None:
    """Until nobody speaks."""
    writer = ready_writer()
    execute("SET statement_timeout = 0")
    kept: Any = Ours() if _SESSION in writer.contender.tables else SimpleJWT(writer)
    commands: Mapping[str, Callable[..., Any]] = {
        "fill": kept.fill,
        "refresh": kept.refresh,
        "use up": kept.use_up,
        "prune": lambda: pruned(kept, writer.contender.tables),
        "sizes": lambda: sizes(writer.contender.tables),
        "times": lambda count: times(writer, count),
    }
    print(flush=True)
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        began = time.monotonic()
        found = commands[command](*arguments)
        if command in {"fill", "refresh", "use up"}:
            for table in writer.contender.tables:
                execute(f"VACUUM ANALYZE {table}")
            found = {"seconds": time.monotonic() - began}
        print(json.dumps(found), flush=True)


def call_quietly(*command: str) -> None:
    from django.core.management import call_command

    call_command(*command, stdout=io.StringIO())


def first_user() -> int:
    """Of 100,000 who are there for the tables' sake; made the first time."""
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    table = model._meta.db_table
    rows = model.objects.filter(username__startswith="grown-")
    if not rows.exists():
        clone(table, _USERS, {"username": "'grown-' || i"})
    first: int = rows.earliest("pk").pk
    return first


def made_by_a_refresh(writer: Writer) -> dict[str, int]:
    """Rows by table."""
    call = next(writer.operation("refresh", 1))
    before = rows_in(writer.contender.tables)
    call()
    after = rows_in(writer.contender.tables)
    return {table: after[table] - before[table] for table in before}


def sizes(tables: Sequence[str]) -> dict[str, dict[str, int]]:
    """Rows, and bytes with indexes, by table."""
    rows, found = rows_in(tables), {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute("SELECT pg_total_relation_size(%s::regclass)", [table])
            found[table] = {"rows": rows[table], "bytes": cursor.fetchone()[0]}
    return found


def times(writer: Writer, count: int) -> dict[str, list[float]]:
    """Milliseconds of each."""
    found = {name: timed(writer, name, 1, count)["ms"] for name in ("sign-in", "refresh")}
    checks = timed(writer, "check", _CHECKS, max(2, count // _CHECKS))["ms"]
    return {**found, "check": [each / _CHECKS for each in itertools.islice(checks, 1, None)]}


def pruned(kept: Any, tables: Sequence[str]) -> dict[str, float]:
    """Seconds, MiB that this process took for it at most, and the rows that are gone."""
    rows, before = sum(rows_in(tables).values()), peak()
    began = time.monotonic()
    kept.prune()
    seconds = time.monotonic() - began
    return {
        "seconds": seconds,
        "peak_mib": peak() - before,
        "rows": rows - sum(rows_in(tables).values()),
    }


if __name__ == "__main__":
    main()
