"""What a site does all day costs the same, however long the log has grown.

``STARVATION_LOG`` is its length: 1000000, by hand.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client

from jwt_revoke import api
from jwt_revoke.backends.replica.connection import LogConnection
from jwt_revoke.backends.replica.database_log import DatabaseLog
from jwt_revoke.backends.replica.state import ReplicaState
from jwt_revoke.maintenance import prune
from jwt_revoke.models import ONLY_ROW, DeviceSession, LogCounter, Revocation, UserTokenState
from jwt_revoke.numbering import log_figures, number, oldest_wait
from jwt_revoke.testing import Device
from tests.conftest import credentials, make_user
from tests.starvation.plans import LOG, entries_read
from tests.wire import AUTH

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's planner"),
]

LENGTH = int(os.environ.get("STARVATION_LOG", "30000"))
IN_FORCE = 200
"""The last of it."""
FEW = 100
"""More than there are entries about whoever is concerned, and than a clock may be wrong for."""


@pytest.fixture(scope="module")
def long_log(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """A year of it, each entry numbered and half of them about one account: that account."""
    with django_db_blocker.unblock():
        loud = make_user("loud")
        Device(loud)
        write(str(loud.pk))
    yield loud
    with django_db_blocker.unblock():
        loud.delete()
        for model in (Revocation, LogCounter, DeviceSession, UserTokenState):
            model.objects.all()._raw_delete("default")


def write(loud: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            f"""
            INSERT INTO {LOG} (uid, sequence, scope, subject, effect, version, reason, actor, note,
                               created_at, expires_at)
            SELECT gen_random_uuid(), i,
                   CASE WHEN mod(i, 2) = 0 THEN 'user' WHEN mod(i, 20) = 1 THEN 'token'
                        ELSE 'session' END,
                   CASE WHEN mod(i, 2) = 0 THEN %(loud)s ELSE gen_random_uuid()::text END,
                   'session', CASE WHEN mod(i, 2) = 0 THEN i END, 'logout', '', '',
                   now() - (%(length)s - i) * interval '364 days' / %(length)s,
                   now() + (i - %(length)s + %(in_force)s) * interval '10 seconds'
            FROM generate_series(1, %(length)s) AS i
            """,
            {"length": LENGTH, "in_force": IN_FORCE, "loud": loud},
        )
        LogCounter.objects.update_or_create(pk=ONLY_ROW, defaults={"value": LENGTH})
        cursor.execute(f"ANALYZE {LOG}")
        cursor.execute("RESET statement_timeout")


@pytest.fixture
def user(db: None) -> Any:
    """Not committed, so that nothing is emptied after each test."""
    return make_user()


def assert_cheap(action: Callable[[], Any], most: int = FEW, least: int = 1) -> None:
    """``least`` statements at least asked the log, and none read more of it than that."""
    assert Revocation.objects.count() >= LENGTH * 0.9
    read = entries_read(action)
    assert len(read) >= least
    assert {sql: count for sql, count in read.items() if count > most} == {}


def test_a_check_reads_no_more_of_a_long_log(long_log: Any, phone: Device) -> None:
    """Invariant 7's one SELECT; for an account that half of the log is about too."""
    for device in (phone, Device(long_log)):
        assert_cheap(lambda device=device: device.get("/api/ping/"))
    api.revoke_token(phone.access)
    assert phone.get("/api/ping/").status_code == 401
    assert_cheap(lambda: phone.get("/api/ping/"))


def test_a_check_by_a_plan_made_before_reads_no_more_either(long_log: Any, phone: Device) -> None:
    for _ in range(20):
        assert phone.get("/api/ping/").status_code == 200
    assert_cheap(lambda: phone.get("/api/ping/"))


def test_a_sign_in_and_a_refresh_read_no_more_of_a_long_log(
    long_log: Any, phone: Device, user: Any
) -> None:
    body = {"refresh": phone.refresh_token}
    assert_cheap(lambda: phone.post(AUTH + "token/refresh/", body), least=0)
    assert_cheap(lambda: phone.post(AUTH + "token/", credentials()), least=0)
    # The first of somebody asks for a former user of that key.
    make_user("newcomer")
    assert_cheap(lambda: phone.post(AUTH + "token/", credentials("newcomer")))


REVOKING: dict[str, Callable[[Device, Any], Any]] = {
    "a token": lambda device, user: api.revoke_token(device.access),
    "a session": lambda device, user: api.revoke_session(device.session_id),
    "a user": lambda device, user: api.revoke_user(user),
    "a user, before a time": lambda device, user: api.revoke_user(
        user, before=device.device_session.created_at + timedelta(seconds=1)
    ),
    "users": lambda device, user: api.revoke_users(get_user_model().objects.all()),
    "everyone": lambda device, user: api.revoke_everyone(),
    "what was replayed": lambda device, user: device.post(
        AUTH + "token/blacklist/", {"refresh": device.refresh_token}
    ),
    "by log-out": lambda device, user: device.post(AUTH + "logout/"),
    "by log-out everywhere": lambda device, user: device.post(AUTH + "logout/all/"),
}


@pytest.mark.parametrize("what", REVOKING)
def test_a_revocation_reads_no_more_of_a_long_log(
    long_log: Any, phone: Device, user: Any, what: str
) -> None:
    """Invariant 8."""
    assert_cheap(lambda: REVOKING[what](phone, user), least=0)


def test_numbering_reads_no_more_of_a_long_log(long_log: Any, user: Any) -> None:
    api.revoke_user(user)
    assert_cheap(lambda: log_figures("default"))
    assert_cheap(lambda: oldest_wait("default"))
    assert_cheap(lambda: number("default"))
    assert_cheap(lambda: number("default"))


def test_a_replica_reads_what_is_new_of_a_long_log_and_loads_what_is_in_force(
    long_log: Any, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the connection of this test: nothing of the log is committed."""
    monkeypatch.setattr(
        LogConnection, "rows", lambda self, statement, params: statement.rows(connection, params)
    )
    log, state = DatabaseLog("default", 5.0), ReplicaState()
    try:
        assert_cheap(lambda: log.catch_up(state), most=IN_FORCE + FEW, least=3)
        assert len(state) > IN_FORCE / 2
        api.revoke_user(user)
        assert_cheap(lambda: log.read(state))
        number("default")
        assert_cheap(lambda: log.read(state))
    finally:
        log.close()


def test_a_step_of_pruning_reads_its_own_batch_of_a_long_log(
    long_log: Any, user: Any, settings: Any
) -> None:
    batch = 100
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "AUDIT_RETENTION": timedelta(days=363)}
    old = Revocation.objects.filter(pk__lt=Revocation.objects.order_by("pk")[0].pk + LENGTH // 364)

    assert_cheap(lambda: prune("default", batch, lambda *_: None), most=2 * batch)
    assert not old.exists()


def test_the_admin_s_page_of_a_long_log_counts_no_further_than_it_shows(
    long_log: Any, user: Any, client: Client
) -> None:
    user.is_staff = user.is_superuser = True
    user.save()
    client.force_login(user)
    page = "/admin/jwt_revoke/revocation/"

    assert client.get(page).status_code == 200
    assert_cheap(lambda: client.get(page), most=10_000)
    assert_cheap(lambda: client.get(page + "?p=2"), most=10_000)
