"""What a canary measures: when each worker refuses, and who accepts too late."""

from __future__ import annotations

import itertools
import threading
from datetime import timedelta
from typing import Any

import pytest

from jwt_revoke import api
from jwt_revoke.canary import (
    CanaryFailed,
    Site,
    Worker,
    is_late,
    measure,
    measuring,
    percentile,
)
from jwt_revoke.exceptions import Unavailable
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.testing import Device
from tests.canary.serving import NEVER, MakeBelieve, worker

pytestmark = [pytest.mark.once, pytest.mark.usefixtures("hasty")]


def measured(site: MakeBelieve, user: Any, **options: Any) -> dict[str, Worker]:
    *_earlier, found = measure(Site(site.url), user, **{"bound": 0.0, "rounds": 1} | options)
    return found


def assert_no_canary_lives() -> None:
    assert not DeviceSession.objects.filter(ended_at__isnull=True).exists()


def test_each_worker_is_timed(user: Any) -> None:
    with MakeBelieve(0.0, 0.2) as site:
        found = measured(site, user, bound=0.5)

    prompt, slow = found[worker(0)], found[worker(1)]
    assert prompt.refused[0] < 0.15
    assert 0.19 < slow.refused[0] < 0.5
    assert 0.1 < slow.accepted[0] <= slow.refused[0]
    assert prompt.checks > 1
    assert not any(is_late(each, 0.5) for each in found.values())


def test_a_worker_that_accepts_past_the_bound_is_late(user: Any) -> None:
    """Invariant 1."""
    with MakeBelieve(0.0, 0.2) as site:
        found = measured(site, user, bound=0.1)

    assert [name for name, each in found.items() if is_late(each, 0.1)] == [worker(1)]


def test_a_worker_that_never_refuses_is_given_up(user: Any) -> None:
    with MakeBelieve(NEVER) as site:
        found = measured(site, user, rounds=5)

    (only,) = found.values()
    assert only.refused == []
    assert len(only.accepted) == 1
    assert is_late(only, 0.0)
    assert_no_canary_lives()


def test_each_round_has_a_canary_of_its_own(user: Any) -> None:
    with MakeBelieve(0.0) as site:
        found = measured(site, user, rounds=3)

    assert len(found[worker(0)].refused) == 3
    sessions = DeviceSession.objects.all()
    assert [(each.name, each.end_reason) for each in sessions] == [("canary", "canary")] * 3
    assert {each.reason for each in Revocation.objects.all()} == {"canary"}


def test_as_many_workers_are_sought_as_are_wanted(user: Any) -> None:
    with MakeBelieve(0.0, 0.0, 0.0) as site:
        assert len(measured(site, user, wanted=3)) == 3


def test_a_site_whose_workers_are_ever_new_is_measured(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search ends by itself."""
    monkeypatch.setattr(measuring, "_NOBODY_NEW", NEVER)
    with MakeBelieve(0.0) as site:
        assert measured(site, user)[worker(0)].refused


def test_fewer_workers_than_wanted_are_an_error(user: Any) -> None:
    with MakeBelieve(0.0) as site, pytest.raises(CanaryFailed, match="1 of 2 workers answered"):
        measured(site, user, wanted=2)

    assert_no_canary_lives()


def test_a_site_that_shrinks_is_measured_on(user: Any) -> None:
    with MakeBelieve(0.0, 0.0) as site:
        rounds = measure(Site(site.url), user, bound=0.0, rounds=2)
        assert len(next(rounds)) == 2
        site.lags = (0.0,)
        found = next(rounds)

    assert [len(each.refused) for _name, each in sorted(found.items())] == [2, 1]


def test_a_site_whose_workers_all_refuse_the_canary_is_an_error(user: Any) -> None:
    with MakeBelieve(-NEVER * 3) as site, pytest.raises(CanaryFailed, match="no worker takes"):
        measured(site, user)

    assert_no_canary_lives()


def test_a_worker_that_cannot_know_is_not_taken_for_one_that_accepts(user: Any) -> None:
    def unavailable(turn: int) -> tuple[int, bytes]:
        body = b'{"worker": "%s", "standing": "unavailable"}' % worker(0).encode()
        return site._honest(turn) if site.revoked_at == NEVER else (200, body)

    with MakeBelieve(0.0) as site:
        site.answer = unavailable
        found = measured(site, user)

    assert (found[worker(0)].refused, found[worker(0)].accepted) == ([], [])


def test_a_site_that_goes_away_meanwhile_is_an_error(user: Any) -> None:
    def gone(turn: int) -> tuple[int, bytes]:
        return site._honest(turn) if site.revoked_at == NEVER else (502, b"")

    with MakeBelieve(0.0) as site:
        site.answer = gone
        with pytest.raises(CanaryFailed, match="answered 502"):
            measured(site, user)


def test_no_canary_stays_live_whatever_happens(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where the revocation failed that was to be timed."""
    revoke, calls = api.revoke_session, itertools.count()

    def fails_once(*args: Any, **options: Any) -> bool:
        if next(calls) == 0:
            raise Unavailable
        return revoke(*args, **options)

    monkeypatch.setattr(api, "revoke_session", fails_once)
    with MakeBelieve(0.0) as site, pytest.raises(Unavailable):
        measured(site, user)

    assert DeviceSession.objects.count() == 1
    assert_no_canary_lives()


def test_its_threads_end_with_it(user: Any) -> None:
    before = threading.active_count()
    with MakeBelieve(0.0) as site:
        measured(site, user)

    assert threading.active_count() <= before + 1


def test_no_device_of_the_user_s_is_put_out(user: Any, settings: Any) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "MAX_SESSIONS_PER_USER": 1}
    phone = Device(user)
    with MakeBelieve(0.0) as site, pytest.raises(CanaryFailed, match="MAX_SESSIONS_PER_USER"):
        measured(site, user)

    assert phone.standing == "live"


def test_a_user_with_room_is_measured(user: Any, settings: Any) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "MAX_SESSIONS_PER_USER": 1}
    with MakeBelieve(0.0) as site:
        assert measured(site, user, rounds=2)


def test_a_token_that_dies_by_itself_measures_nothing(user: Any, settings: Any) -> None:
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "ACCESS_TOKEN_LIFETIME": timedelta(seconds=60),
    }
    with MakeBelieve(0.0) as site, pytest.raises(CanaryFailed, match="too short"):
        measured(site, user, bound=30.0)

    assert_no_canary_lives()


# --- the address, and what answers there


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://localhost/", "http://localhost:many/", "http://[::1/"]
)
def test_what_is_no_address_is_said(url: str) -> None:
    with pytest.raises(CanaryFailed, match="no address"):
        Site(url)


def test_the_path_is_that_of_the_urls(user: Any) -> None:
    with MakeBelieve(0.0) as site:
        Site(site.url.rstrip("/")).ask("token")
    assert site.asked == ["/api/auth/canary/"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, b""), "answered 404"),
        ((301, b""), "answered 301"),
        ((200, b"<html>"), "something else"),
        ((200, b"[]"), "something else"),
        ((200, b"{}"), "something else"),
        ((200, b'{"worker": "\x1b[2J", "standing": "live"}'), "something else"),
    ],
)
def test_another_answer_is_said(answer: tuple[int, bytes], said: str) -> None:
    with MakeBelieve(0.0) as site:
        site.answer = lambda _turn: answer
        with pytest.raises(CanaryFailed, match=said):
            Site(site.url).ask("token")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "https://127.0.0.1:1/", f"http://{'x' * 70}.example/"]
)
def test_an_address_where_nobody_is_is_said_at_once(user: Any, url: str) -> None:
    with pytest.raises(CanaryFailed, match="Error"):
        next(measure(Site(url), user, bound=0.0, rounds=1))

    assert_no_canary_lives()


# --- the figures


@pytest.mark.parametrize(
    ("part", "value"), [(0.5, 50), (0.99, 99), (1, 100), (0.01, 1), (0.001, 1)]
)
def test_a_percentile_is_one_of_the_values(part: float, value: int) -> None:
    assert percentile(range(1, 101), part) == value


@pytest.mark.parametrize(
    ("accepted", "late"), [([], False), ([0.1], False), ([0.255], False), ([0.1, 0.27], True)]
)
def test_late_is_past_the_bound_and_the_slack(accepted: list[float], late: bool) -> None:
    assert is_late(Worker(accepted=accepted), 0.25) is late
