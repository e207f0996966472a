"""Five hundred clients that refresh at once, each by a socket of its own."""

from __future__ import annotations

from copy import copy
from typing import Any
from uuid import uuid4

from django.db import connection

from jwt_revoke import api
from jwt_revoke.codec import RefreshClaims, encode_refresh
from jwt_revoke.keystore import refresh_key_ring
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.testing import Device
from tests.starvation.conftest import SERVED, THREADS, WORKERS, Site
from tests.starvation.crowd import Answer, crowd, figures, request
from tests.wire import AUTH

pytestmark = SERVED

CLIENTS = 500
CHECKS = 20


def refresh(token: str) -> list[bytes]:
    return [request(AUTH + "token/refresh/", {"refresh": token})]


def sessions_like(device: Device) -> list[str]:
    """The refresh tokens of as many sessions as there are clients, opened as that one was."""
    rows = [copy(device.device_session) for _ in range(CLIENTS)]
    for row in rows:
        row.pk = uuid4()
    DeviceSession.objects.bulk_create(rows)
    return [encode_refresh(RefreshClaims(row.pk, 0), refresh_key_ring()) for row in rows]


def in_the_crowd(site: Site, tokens: list[str], bystander: Device) -> list[Answer]:
    """The answers to a refresh by each token, while one who has a token goes on to be let in."""
    checks = [request("/api/ping/", token=bystander.access)] * CHECKS
    *answers, checked = crowd(site.port, [*map(refresh, tokens), checks])
    found = [answer for (answer,) in answers]
    figures("refreshes", found)
    figures("checks meanwhile", checked)
    assert [answer.status for answer in checked] == [200] * CHECKS
    return found


def test_500_sessions_that_refresh_at_once_have_one_successor_each(
    site: Site, user: Any, phone: Device
) -> None:
    """Invariant 5, and nobody is turned away: neither they nor who wants a check meanwhile."""
    tokens = sessions_like(phone)

    answers = in_the_crowd(site, tokens, phone)

    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["refresh"] for answer in answers} - set(tokens)) == CLIENTS
    assert not any(api.is_revoked(answer.json["access"]) for answer in answers[::50])
    sessions = DeviceSession.objects.exclude(pk=phone.session_id)
    assert set(sessions.values_list("refresh_counter", "ended_at")) == {(1, None)}


def test_500_refreshes_by_one_token_at_once_have_one_successor(
    site: Site, phone: Device, user: Any
) -> None:
    """Invariant 5: one row is moved on once, and its 500 askers wait for nothing else."""
    device = Device(user, HTTP_USER_AGENT="Crowd/1")

    answers = in_the_crowd(site, [device.refresh_token] * CLIENTS, phone)

    assert {answer.status for answer in answers} == {200}
    assert len({answer.json["refresh"] for answer in answers}) == 1
    assert device.device_session.refresh_counter == 1
    assert not Revocation.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        # As many as the threads, which keep theirs, and not as the clients.
        assert cursor.fetchone()[0] <= WORKERS * THREADS
