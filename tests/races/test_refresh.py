"""One refresh token asked for by many at once has one successor (invariant 5)."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from jwt_revoke import api, rotation
from jwt_revoke.exceptions import RefreshReused, TokenRevoked, Unavailable
from jwt_revoke.minting import SignedIn
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.testing import Device
from tests.races.together import Pause, is_busy, is_dead, together, workers
from tests.races.worker import USER_AGENT

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]

PROCESSES, REFRESHES, ROUNDS = 4, 20, 5


@pytest.fixture
def device(user: Any) -> Device:
    return Device(user, HTTP_USER_AGENT=USER_AGENT)


def test_twenty_refreshes_from_four_processes_get_one_successor(device: Device) -> None:
    """Invariant 5, round after round, over HTTP."""
    token = device.refresh_token
    with workers(PROCESSES) as post:
        for turn in range(1, ROUNDS + 1):
            answers = post("/api/auth/token/refresh/", [{"refresh": token}] * REFRESHES)
            statuses = [status for status, _ in answers if not is_busy(status)]
            assert set(statuses) == {200}
            successors = {body["refresh"] for status, body in answers if status == 200}
            assert len(successors) == 1
            assert device.device_session.refresh_counter == turn
            token = successors.pop()


def test_every_access_token_of_such_a_race_lives(device: Device) -> None:
    """The losers of the race get a token that works, not a leftover."""
    with workers(PROCESSES) as post:
        answers = post("/api/auth/token/refresh/", [{"refresh": device.refresh_token}] * REFRESHES)
    access = {body["access"] for status, body in answers if status == 200}
    assert not any(map(api.is_revoked, access))
    assert len(access) == sum(status == 200 for status, _ in answers)


def test_two_refreshes_that_have_both_read_the_counter_get_one_successor(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 5: the compare-and-swap decides, not what was read before it."""
    both, rotate = threading.Barrier(2), rotation._rotate

    def meet(*args: Any) -> bool:
        both.wait(10)
        return rotate(*args)

    monkeypatch.setattr(rotation, "_rotate", meet)
    request = device._request()
    first, second = together(*[lambda: api.refresh(device.refresh_token, request)] * 2)
    assert first.refresh == second.refresh
    assert device.device_session.refresh_counter == 1


def test_without_a_grace_one_of_two_simultaneous_refreshes_is_a_replay(
    device: Device, settings: Any
) -> None:
    """Invariant 5: with no grace the second use ends the session, however close it was."""
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REFRESH_GRACE": timedelta(0)}
    request = device._request()
    answers = together(*[lambda: api.refresh(device.refresh_token, request)] * 4)
    refused = [answer for answer in answers if not isinstance(answer, SignedIn)]
    assert len(refused) >= 3
    assert all(isinstance(error, TokenRevoked | Unavailable) for error in refused)
    assert any(isinstance(error, RefreshReused) for error in refused)
    assert all(is_dead(answer) for answer in answers if isinstance(answer, SignedIn))


@pytest.mark.parametrize("step", ["mint", "_rotate"])
def test_a_refresh_overtaken_by_log_out_everywhere_yields_nothing_that_lives(
    device: Device, user: Any, pause: Pause, step: str
) -> None:
    """Invariant 1: whichever step of the refresh the revocation falls in front of."""
    pause.before(rotation, step)
    refreshed, version = pause.race(
        lambda: api.refresh(device.refresh_token, device._request()),
        lambda: api.revoke_user(user),
    )
    assert isinstance(version, int)
    assert isinstance(refreshed, TokenRevoked) or is_dead(refreshed)


def test_a_refresh_overtaken_by_the_red_button_yields_nothing_that_lives(
    device: Device, pause: Pause
) -> None:
    """Invariant 1: the generation is read with the rest, before the swap."""
    pause.before(rotation, "_rotate")
    refreshed, _ = pause.race(
        lambda: api.refresh(device.refresh_token, device._request()), api.revoke_everyone
    )
    assert isinstance(refreshed, TokenRevoked) or is_dead(refreshed)


def test_a_refresh_overtaken_by_the_end_of_its_session_is_no_replay(
    device: Device, pause: Pause
) -> None:
    """It is told that the session ended; nobody is accused of theft."""
    pause.before(rotation, "_rotate")
    refreshed, ended = pause.race(
        lambda: api.refresh(device.refresh_token, device._request()),
        lambda: api.end_session(device.session_id),
    )
    assert ended is True
    assert type(refreshed) is TokenRevoked
    assert device.device_session.end_reason == "logout"


def test_a_session_that_expires_during_a_refresh_is_no_replay(
    device: Device, pause: Pause, settings: Any
) -> None:
    """With ``ON_REUSE = "user"`` every device would be logged out for it."""
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "ON_REUSE": "user"}
    pause.before(rotation, "_rotate")
    rows = DeviceSession.objects.filter(pk=device.session_id)
    long_ago = device.device_session.created_at.replace(year=2000)
    refreshed, _ = pause.race(
        lambda: api.refresh(device.refresh_token, device._request()),
        lambda: rows.update(idle_expires_at=long_ago),
    )
    assert type(refreshed) is TokenRevoked
    assert rows.get().end_reason == ""


def test_refreshes_from_everywhere_end_with_log_out_everywhere(user: Any) -> None:
    """Invariant 1: what was answered before, during or after it is dead once it returned."""
    for _ in range(5):
        devices = [Device(user, HTTP_USER_AGENT=USER_AGENT) for _ in range(4)]
        refreshes = [
            lambda device=device: api.refresh(device.refresh_token, device._request())
            for device in devices * 2
        ]
        *answers, version = together(*refreshes, lambda: api.revoke_user(user))
        assert isinstance(version, int)
        for answer in answers:
            refused = isinstance(answer, TokenRevoked) or is_busy(answer)
            assert refused or is_dead(answer)
        assert {device.standing for device in devices} == {"revoked"}


def test_a_password_change_beside_refreshes_is_not_stopped_by_them(user: Any) -> None:
    """The lock order is kept by a refresh too: a site's own transaction meets no deadlock."""

    def change() -> str:
        with transaction.atomic():
            user.set_password("another")
            user.save()
        return "changed"

    for _ in range(5):
        user.refresh_from_db()
        devices = [Device(user, HTTP_USER_AGENT=USER_AGENT) for _ in range(6)]
        refreshes = [
            lambda device=device: api.refresh(device.refresh_token, device._request())
            for device in devices
        ]
        *_, changed = together(*refreshes, change)
        assert changed == "changed" or is_busy(changed)


def test_a_replay_beside_the_legitimate_refresh_leaves_nothing_alive(device: Device) -> None:
    """Invariant 5: an ancestor comes back while its owner refreshes: the session is over."""
    stolen = device.refresh_token
    device.refresh_tokens()
    device.refresh_tokens()
    request = device._request()
    replay, refreshed = together(
        lambda: api.refresh(stolen, request), lambda: api.refresh(device.refresh_token, request)
    )
    assert isinstance(replay, RefreshReused) or is_busy(replay)
    if isinstance(replay, RefreshReused):
        assert not isinstance(refreshed, SignedIn) or is_dead(refreshed)
        assert device.device_session.end_reason == "refresh_reused"


def test_one_replay_beside_many_is_recorded_once(device: Device) -> None:
    """Four thieves with one ancestor: one end, one entry in the log."""
    stolen = device.refresh_token
    device.refresh_tokens()
    device.refresh_tokens()
    answers = together(*[lambda: api.refresh(stolen, device._request())] * 4)
    assert all(isinstance(answer, TokenRevoked) or is_busy(answer) for answer in answers)
    assert Revocation.objects.filter(reason="refresh_reused").count() == 1


def test_log_out_over_http_beside_refreshes_over_http(device: Device) -> None:
    """Invariant 1 over HTTP, from other processes: no answer of the race outlives it."""
    token = {"refresh": device.refresh_token}
    with workers(2) as post:
        answers, out = together(
            lambda: post("/api/auth/token/refresh/", [token] * 6),
            lambda: APIClient().post("/api/auth/logout/", token),
        )
    assert out.status_code == 204 or is_busy(out.status_code)
    assert all(status in {200, 401} or is_busy(status) for status, _ in answers)
    if out.status_code == 204:
        assert all(api.is_revoked(body["access"]) for status, body in answers if status == 200)
