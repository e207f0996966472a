"""A clean-up while somebody replays what it cleans: still refused, no error, nothing revived."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from jwt_revoke import api, maintenance, rotation
from jwt_revoke.exceptions import RefreshReused, TokenRevoked
from jwt_revoke.models import DeviceSession
from jwt_revoke.testing import Device
from tests.conftest import make_user
from tests.races.together import Pause, is_busy, together, workers
from tests.races.verdicts import assert_answered, assert_no_orphans, rounds
from tests.races.worker import USER_AGENT

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]


def prune(size: int = 10) -> dict[str, int]:
    return maintenance.prune("default", size, lambda _what, _count: None)


def forgotten(user: Any, **ends: Any) -> Device:
    """A device whose session was over longer ago than anything is kept; by default it ran out."""
    phone = Device(user, HTTP_USER_AGENT=USER_AGENT)
    phone.stolen = phone.refresh_token
    phone.refresh_tokens()
    phone.refresh_tokens()
    long_ago = timezone.now() - timedelta(days=800)
    rows = DeviceSession.objects.filter(pk=phone.session_id)
    rows.update(**(ends or {"expires_at": long_ago, "idle_expires_at": long_ago}))
    return phone


def replay(phone: Device, token: str = "") -> Any:
    return api.refresh(token or phone.refresh_token, phone._request())


@pytest.mark.parametrize("which", ["newest", "ancestor"])
def test_a_replay_of_what_is_being_pruned_is_refused(user: Any, pause: Pause, which: str) -> None:
    """Invariant 6: the clean-up has chosen the row and has not deleted it yet."""
    phone = forgotten(user)
    pause.before(maintenance, "_delete")
    token = phone.stolen if which == "ancestor" else phone.refresh_token
    pruned, refused = pause.race(prune, partial(replay, phone, token))
    assert pruned["sessions"] == 1
    assert type(refused) is TokenRevoked
    assert not DeviceSession.objects.exists()


def test_a_replay_whose_row_goes_under_it_is_refused(user: Any, pause: Pause) -> None:
    """Invariant 6: it has read the session, which is pruned before it is judged."""
    phone = forgotten(user)
    pause.before(rotation, "require_live")
    refused, pruned = pause.race(partial(replay, phone), prune)
    assert pruned["sessions"] == 1
    assert type(refused) is TokenRevoked
    assert not DeviceSession.objects.exists()


def test_a_replay_in_a_live_session_beside_a_clean_up_ends_it(user: Any, pause: Pause) -> None:
    """Invariant 5: what the clean-up goes through is not what lives, and it stays a replay."""
    phone = forgotten(user, ended_at=None)
    other = forgotten(user)
    pause.before(maintenance, "_delete")
    _, refused = pause.race(prune, partial(replay, phone, phone.stolen))
    assert isinstance(refused, RefreshReused)
    assert phone.device_session.end_reason == "refresh_reused"
    assert not DeviceSession.objects.filter(pk=other.session_id).exists()


def test_replays_beside_clean_ups_are_all_refused(user: Any) -> None:
    """Freely: two clean-ups, and both tokens of four sessions."""
    for _ in rounds(3):
        phones = [forgotten(user) for _ in range(4)]
        replays = [partial(replay, phone, phone.stolen) for phone in phones]
        replays += [partial(replay, phone) for phone in phones]
        *refused, one, other = together(*replays, partial(prune, 1), partial(prune, 1))
        assert_answered([one, other], dict)
        assert_answered(refused, TokenRevoked)
        assert not any(isinstance(error, RefreshReused) for error in refused)
        assert {phone.standing for phone in phones} == {"revoked"}
        assert_no_orphans()
        if is_busy(one) and is_busy(other):
            prune()
        assert not DeviceSession.objects.exists()


def test_replays_over_http_beside_a_clean_up_are_401(transactional_db: Any) -> None:
    """From other processes: 401, never a 5xx."""
    with workers(2) as post:
        for turn in rounds(1):
            phone = forgotten(make_user(f"user{turn}"))
            tokens = [{"refresh": phone.stolen}, {"refresh": phone.refresh_token}] * 4
            answers, pruned = together(partial(post, "/api/auth/token/refresh/", tokens), prune)
            assert_answered([pruned], dict)
            assert_answered(answers, 401)
            assert phone.standing == "revoked"
