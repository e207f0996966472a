"""A process that fills a database and looks at the dashboard: ``dashboard.py`` starts it.

Told how many sessions and revocations, it answers with the milliseconds of each period's page;
told the same again, with those of another round.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import Any, Final

import django

_DAYS: Final = 60
_AT_ONCE: Final = 50_000
_USERS: Final = 100_000

_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
_REASON: Final = (
    "CASE WHEN mod(i, 200) = 0 THEN 'refresh_reused' WHEN mod(i, 9) = 0 THEN 'password_changed'"
    " WHEN mod(i, 11) = 0 THEN 'role_changed' WHEN mod(i, 13) = 0 THEN 'suspended'"
    " WHEN mod(i, 17) = 0 THEN 'session_limit' WHEN mod(i, 19) = 0 THEN 'deleted'"
    " ELSE 'logout' END"
)


@dataclass(frozen=True)
class Dialect:
    """What a database calls rows numbered from one to the other, a random UUID, and a time that
    many seconds from now."""

    numbers: str
    uuid: str
    later: str
    tidy: str = ""


_DIALECTS: Final = {
    "postgresql": Dialect(
        "generate_series({first}, {last}) AS n(i)",
        "gen_random_uuid()",
        "now() + ({seconds}) * interval '1 second'",
        "VACUUM ANALYZE",
    ),
    "mysql": Dialect(
        "(SELECT CAST(seq AS SIGNED) AS i FROM seq_{first}_to_{last}) AS n",
        "CONCAT(LEFT(MD5(RAND()), 12), '4', LEFT(MD5(RAND()), 3), '8', LEFT(MD5(RAND()), 15))",
        "UTC_TIMESTAMP(6) + INTERVAL ROUND(({seconds}) * 1000000) MICROSECOND",
        "ANALYZE TABLE",
    ),
    "sqlite": Dialect(
        "(WITH RECURSIVE n(i) AS"
        " (VALUES({first}) UNION ALL SELECT i + 1 FROM n WHERE i < {last}) SELECT i FROM n) AS n",
        "lower(hex(randomblob(16)))",
        "strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', ({seconds}) || ' seconds')",
    ),
}


def main() -> None:
    """Until nobody listens."""
    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client

    call_command("migrate", verbosity=0)
    boss = get_user_model().objects.create_superuser("boss", password="x")
    # Not "testserver": the example answers to its own names alone.
    client = Client(SERVER_NAME="localhost")
    client.force_login(boss)
    for turn, line in enumerate(sys.stdin):
        sessions, log = json.loads(line)
        if turn == 0:
            _fill(sessions, log)
        print(json.dumps(_looked_at(client)), flush=True)


def _looked_at(client: Any) -> dict[str, float]:
    from jwt_revoke.admin.dashboard import PERIODS

    found = {}
    for period in PERIODS:
        began = time.perf_counter()
        response = client.get("/admin/jwt_revoke/", {"period": period})
        found[period] = (time.perf_counter() - began) * 1000
        assert response.status_code == 200
        assert response.content.count(b"jwt-revoke-plot") == 2
    return found


def _fill(sessions: int, log: int) -> None:
    """Sign-ins and revocations, evenly over two months; three sessions in eight still live."""
    from django.db import connection

    from jwt_revoke.models import DeviceSession, Revocation, UserTokenState

    dialect = _DIALECTS[connection.vendor]
    rows = {
        UserTokenState: (_USERS, _state(dialect)),
        DeviceSession: (sessions, _session(dialect, _DAYS * 86400 / sessions, sessions)),
        Revocation: (log, _revocation(dialect, _DAYS * 86400 / log, log)),
    }
    for model, (count, columns) in rows.items():
        _insert(model, count, dialect, columns)
        if dialect.tidy:  # SQLite is asked to by nobody
            with connection.cursor() as cursor:
                cursor.execute(f"{dialect.tidy} {model._meta.db_table}")


def _state(dialect: Dialect) -> dict[str, str]:
    return {
        "user_id": "i",
        **dict.fromkeys(["version", "session_floor"], "1"),
        **dict.fromkeys(["password_fingerprint", "account_fingerprint"], "''"),
        "subject": dialect.uuid,
    }


def _session(dialect: Dialect, apart: float, count: int) -> dict[str, str]:
    created = dialect.later.format(seconds=f"(i - {count}) * {apart}")
    expires = dialect.later.format(seconds=f"(i - {count}) * {apart} + 30 * 86400")
    return {
        "id": dialect.uuid,
        "user_id": f"1 + mod(i, {_USERS})",
        "name": "'Firefox on Linux'",
        "user_agent": f"'{_AGENT}'",
        "ip_address": "'192.0.2.1'",
        **dict.fromkeys(["created_at", "authenticated_at", "last_used_at"], created),
        **dict.fromkeys(["idle_expires_at", "expires_at"], expires),
        "opened_version": "1",
        **dict.fromkeys(["opened_generation", "refresh_counter"], "0"),
        "ended_at": f"CASE WHEN mod(i, 4) = 0 THEN {created} END",
        "end_reason": "CASE WHEN mod(i, 4) = 0 THEN 'logout' ELSE '' END",
    }


def _revocation(dialect: Dialect, apart: float, count: int) -> dict[str, str]:
    created = dialect.later.format(seconds=f"(i - {count}) * {apart}")
    return {
        **dict.fromkeys(["uid", "subject"], dialect.uuid),
        "sequence": "i",
        **dict.fromkeys(["scope", "effect"], "'session'"),
        "reason": _REASON,
        **dict.fromkeys(["actor", "note"], "''"),
        **dict.fromkeys(["created_at", "expires_at"], created),
    }


def _insert(model: Any, count: int, dialect: Dialect, columns: dict[str, str]) -> None:
    """``count`` rows, by statements that each end within the site's time-out."""
    from django.db import connection

    for first in range(1, count + 1, _AT_ONCE):
        source = dialect.numbers.format(first=first, last=min(first + _AT_ONCE - 1, count))
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {model._meta.db_table} ({', '.join(columns)})"
                f" SELECT {', '.join(columns.values())} FROM {source}",
                [],
            )


if __name__ == "__main__":
    main()
