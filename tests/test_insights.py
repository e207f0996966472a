"""Figures over time: which moment belongs to which hour or day, and what is counted."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import api, insights
from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.insights import LiveSessions, Period, Window
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.testing import Device
from tests.conftest import make_user

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 9, 28, 12, 30, tzinfo=UTC)


class Numbered(DatabaseBackend):
    """Follows the log, as far as anybody asks."""

    needs_sequence = True

    def figures(self, using: str) -> dict[str, Any]:
        return {"Log followed": using}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """``at(moment)``: it is then."""

    def move(moment: datetime) -> None:
        monkeypatch.setattr(insights.timezone, "now", lambda: moment)

    return move


def session(created_at: datetime, user_id: Any = None, **fields: Any) -> DeviceSession:
    """One that lives, if its user's floor lets it."""
    times = dict.fromkeys(["created_at", "authenticated_at", "last_used_at"], created_at)
    far = dict.fromkeys(["expires_at", "idle_expires_at"], created_at + timedelta(days=36500))
    versions = {"opened_version": 2**60, "opened_generation": 0}
    return DeviceSession(user_id=user_id, **times, **far, **versions, **fields)


def sign_in(*moments: datetime) -> None:
    user = make_user("counted")
    DeviceSession.objects.bulk_create([session(moment, user.pk) for moment in moments])


def revoke(reason: str, *moments: datetime) -> None:
    Revocation.objects.bulk_create(
        Revocation(
            scope="user", effect="access", reason=reason, created_at=moment, expires_at=moment
        )
        for moment in moments
    )


@pytest.mark.once
def test_a_day_begins_at_midnight_where_the_viewer_is(at: Any) -> None:
    at(NOON)

    with timezone.override("Asia/Tokyo"):
        starts = insights.window(Period(3)).starts

    assert [start.isoformat() for start in starts] == [
        "2026-09-26T00:00:00+09:00",
        "2026-09-27T00:00:00+09:00",
        "2026-09-28T00:00:00+09:00",
    ]


@pytest.mark.once
@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_a_day_on_which_the_clocks_change_is_as_long_as_it_is(
    at: Any, day: str, hours: int
) -> None:
    at(datetime.fromisoformat(f"{day}T12:00:00+00:00") + timedelta(days=1))

    with timezone.override("Europe/Berlin"):
        changing, after = insights.window(Period(2)).starts

    assert changing.isoformat()[:10] == day
    assert after.astimezone(UTC) - changing.astimezone(UTC) == timedelta(hours=hours)


@pytest.mark.once
def test_hours_pass_one_by_one_while_the_clocks_go_back(at: Any) -> None:
    at(datetime(2026, 10, 25, 2, 15, tzinfo=UTC))

    with timezone.override("Europe/Berlin"):
        window = insights.window(Period(4, by_hour=True))

    assert [start.strftime("%H%z") for start in window.starts] == [
        *("01+0200", "02+0200", "02+0100", "03+0100")
    ]
    assert window.before[0].strftime("%d %H%z") == "24 21+0200"


@pytest.mark.once
def test_a_day_without_a_midnight_begins_when_it_begins(at: Any) -> None:
    at(datetime(2026, 3, 29, 12, tzinfo=UTC))

    with timezone.override("Asia/Beirut"):
        (start,) = insights.window(Period(1)).starts

    assert start.astimezone(UTC) == datetime(2026, 3, 28, 22, tzinfo=UTC)


@pytest.mark.once
def test_the_period_before_is_as_long_as_what_has_passed_of_this_one(at: Any) -> None:
    at(NOON)

    window = insights.window(Period(7))

    assert window.before == (window.starts[0] - timedelta(days=7), NOON - timedelta(days=7))


@pytest.mark.once
@pytest.mark.parametrize("period", [Period(7), Period(24, by_hour=True)])
def test_a_site_without_time_zones_has_naive_times(settings: Any, period: Period) -> None:
    settings.USE_TZ = False

    window = insights.window(period)

    assert len(window.starts) == period.count
    assert all(timezone.is_naive(moment) for moment in [*window.starts, *window.before])


def test_sign_ins_are_counted_where_they_belong(at: Any) -> None:
    at(NOON)
    midnight = NOON.replace(hour=0, minute=0)
    before = [midnight - timedelta(days=9), NOON - timedelta(days=7)]
    first, last = midnight - timedelta(days=6), midnight
    sign_in(
        before[0],
        before[1],
        before[1] - timedelta(microseconds=1),
        first - timedelta(microseconds=1),
        first,
        last - timedelta(microseconds=1),
        last,
        NOON + timedelta(minutes=5),  # by a clock that is ahead
    )

    found = insights.sign_ins("default", insights.window(Period(7)))

    assert (found.counts, found.before) == ([1, 0, 0, 0, 0, 1, 2], 2)


@pytest.mark.parametrize("use_tz", [True, False])
def test_what_happened_just_now_is_counted_whatever_use_tz_says(
    settings: Any, use_tz: bool
) -> None:
    settings.USE_TZ, settings.TIME_ZONE = use_tz, "Asia/Tokyo"
    Device(make_user("now"))

    for period in [Period(7), Period(24, by_hour=True)]:
        assert insights.sign_ins("default", insights.window(period)).counts[-1] == 1


def test_the_most_frequent_reasons_are_told_apart(at: Any) -> None:
    at(NOON)
    for place, reason in enumerate(["logout", "suspended", "deleted", "own one", "rare", "rarer"]):
        revoke(reason, *[NOON] * (9 - place))
    revoke("logout", NOON - timedelta(days=1))
    revoke("logout", NOON - timedelta(days=2, hours=1), NOON - timedelta(days=3))

    found = insights.revocations("default", insights.window(Period(2)))

    assert found.reasons == ["refresh_reused", "logout", "suspended", "deleted", "own one"]
    assert found.counts == [[0, 1, 0, 0, 0, 0], [0, 9, 8, 7, 6, 5 + 4]]
    assert (found.before, found.reused_before) == (2, 0)


def test_a_reuse_is_told_apart_however_rare(at: Any) -> None:
    at(NOON)
    for number in range(6):
        revoke(f"reason {number}", *[NOON] * 3)
    revoke("refresh_reused", NOON, NOON - timedelta(days=1, hours=1))

    found = insights.revocations("default", insights.window(Period(1)))

    assert found.reasons[0] == "refresh_reused"
    assert found.counts[0][0] == 1
    assert (found.before, found.reused_before) == (1, 1)


def test_reasons_that_a_database_takes_for_the_same_are_not_lost(at: Any) -> None:
    at(NOON)
    revoke("Ticket", NOON, NOON)
    revoke("ticket", NOON)

    found = insights.revocations("default", insights.window(Period(1)))

    assert sum(found.counts[0]) == 3


def test_an_empty_site_has_nothing_to_count() -> None:
    window = insights.window(Period(7))

    assert sum(insights.sign_ins("default", window).counts) == 0
    assert insights.revocations("default", window).counts == [[0, 0]] * 7
    assert insights.live_session_count("default") == LiveSessions(0, is_exact=True)


@pytest.mark.parametrize("count", [1, 40])
def test_the_number_of_statements_depends_on_nothing(at: Any, count: int) -> None:
    """Invariant 8."""
    at(NOON)
    sign_in(*[NOON] * count)
    for number in range(count):
        revoke(f"reason {number}", NOON)
    window: Window = insights.window(Period(30))

    with CaptureQueriesContext(connection) as captured:
        insights.sign_ins("default", window)
        insights.revocations("default", window)
        insights.live_session_count("default")

    assert len(captured) == 1 + 2 + 2


def test_few_sessions_are_counted_one_by_one() -> None:
    user = make_user("few")
    phone, _laptop = Device(user), Device(user)
    api.revoke_session(phone.session_id)

    assert insights.live_session_count("default") == LiveSessions(1, is_exact=True)


@pytest.mark.database
def test_many_sessions_are_counted_in_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000, of which each third has ended; 6,000 are looked at, and it is 5 % off at most."""
    monkeypatch.setattr(insights, "_EACH", 10_000)
    monkeypatch.setattr(insights, "_LOOKED_AT", 6000)
    monkeypatch.setattr(insights, "_PROBED", 16)
    random_ids, now = random.Random(4), timezone.now()
    Device(user := make_user("many"))
    rows = [
        session(
            now,
            user.pk,
            id=UUID(int=random_ids.getrandbits(128), version=4),
            ended_at=None if number % 3 else now,
        )
        for number in range(20_000)
    ]
    DeviceSession.objects.bulk_create(rows, batch_size=500)

    found = insights.live_session_count("default")

    assert not found.is_exact
    assert found.count == pytest.approx(13_334, rel=0.05)


def test_the_backend_says_what_it_has_to_say(settings: Any) -> None:
    found = insights.health("default")

    assert found.backend == "jwt_revoke.backends.database.DatabaseBackend"
    assert (found.strict, found.figures, found.follows) == (True, {}, False)
    assert (found.oldest_wait, found.processes) == (None, [])


def test_a_backend_that_follows_the_log_is_asked_for_its_numbers(settings: Any) -> None:
    path = f"{__name__}.{Numbered.__name__}"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}
    revoke("logout", timezone.now() - timedelta(seconds=90))

    found = insights.health("default")

    assert (found.backend, found.figures) == (path, {"Log followed": "default"})
    assert found.oldest_wait is not None
    assert 90 <= found.oldest_wait.total_seconds() < 120
