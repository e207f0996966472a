"""What the database holds: the users, their sign-ins, and revocations that are in force."""

from __future__ import annotations

import contextlib
import time
from functools import cache
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.db import connection
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.views import APIView

from benchmarks.contenders import Contender, Credential, Unsupported
from benchmarks.plan import Disturbed
from benchmarks.processes import companion

_SPARE: Final = "spare"
_READY_WITHIN: Final = 120.0


def make_users(count: int) -> None:
    """The users who are signed in, and one whose sign-ins are there to be ended."""
    model: Any = get_user_model()
    names = [_SPARE, *(f"user-{number}" for number in range(count))]
    model.objects.bulk_create(model(username=name, password="!") for name in names)


def spare_user() -> Any:
    """Signs in to be logged out."""
    model: Any = get_user_model()
    return model.objects.get(username=_SPARE)


@cache
def credentials(contender: Contender) -> list[Credential]:
    """Every user signed in, once in the process. Call it while the contender is installed."""
    model: Any = get_user_model()
    users = model.objects.exclude(username=_SPARE).order_by("pk")
    return [contender.sign_in(user) for user in users]


@cache
def signed_in(contender: Contender) -> list[Credential]:
    """Every user signed in by a process of the contender's own, once in the run.

    It makes the contender's tables first. Once, since whoever keeps a row for each sign-in may be
    slower with each.
    """
    with companion("entering", contender.environment) as process:
        return [Credential(**fields) for fields in process.hear()]


def request_with(header: str, contender: Contender | None = None) -> Request:
    """A request as an authentication class is given it, with what is in ``Credential.header``."""
    name, _, value = header.rpartition(": ")
    request = RequestFactory(SERVER_NAME="127.0.0.1").get(
        "/", headers={name or "Authorization": value}
    )
    if contender:
        contender.prepare(request)
    return APIView().initialize_request(request)


def make_ready(contender: Contender, header: str | None = None) -> None:
    """Until the contender answers by itself in this process. Call it while it is installed.

    One sign-in is ended first, so that what passes revocations on has caught up with what was
    done by the contenders before it. ``header``: a live one; by default of ``credentials``.
    """
    credential = contender.sign_in(spare_user())
    with contextlib.suppress(Unsupported):
        contender.end(credential)
    authentication = contender.authentication()
    live = header or credentials(contender)[0].header
    deadline = time.monotonic() + _READY_WITHIN
    while True:
        if authentication.authenticate(request_with(live, contender)) is None:
            raise Disturbed(f"{contender.name} let nobody in")
        if contender.state().ready:
            return
        if time.monotonic() > deadline:
            raise Disturbed(f"{contender.name} is not ready")
        time.sleep(0.01)


def fill_log(count: int) -> None:
    """Exactly ``count`` live, numbered revocations, half of sessions and half of users.

    By the database itself: a million through the ORM would take minutes.
    """
    from jwt_revoke.models import ONLY_ROW, LogCounter, Revocation

    log, counter = Revocation._meta.db_table, LogCounter._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(f"TRUNCATE {log} RESTART IDENTITY")
        cursor.execute(
            f"""
            INSERT INTO {log} (uid, sequence, scope, subject, effect, version, reason, actor, note,
                               created_at, expires_at)
            SELECT gen_random_uuid(), i,
                   CASE WHEN mod(i, 2) = 0 THEN 'user' ELSE 'session' END,
                   CASE WHEN mod(i, 2) = 0 THEN (1000000000 + i)::text
                        ELSE gen_random_uuid()::text END,
                   'session',
                   CASE WHEN mod(i, 2) = 0 THEN 1700000000000 + i END,
                   'benchmark', '', '', now(), now() + interval '2 hours' + i * interval '50 us'
            FROM generate_series(1, %s) AS i
            """,
            [count],
        )
        cursor.execute(
            f"INSERT INTO {counter} (id, value) VALUES (%s, %s)"
            " ON CONFLICT (id) DO UPDATE SET value = excluded.value",
            [ONLY_ROW, count],
        )
        cursor.execute(f"VACUUM ANALYZE {log}")
        cursor.execute("RESET statement_timeout")


def log_bytes() -> int:
    """What the log takes in the database, with its indexes."""
    from jwt_revoke.models import Revocation

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size(%s)", [Revocation._meta.db_table])
        found: int = cursor.fetchone()[0]
        return found
