"""The judge of refreshes: what may not be accepted. Invariants 1 and 5."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.histories import (
    ACCESS_ONLY,
    FIRST,
    LOGOUT,
    judged,
    missteps,
    read,
    refresh,
    refusals,
    replayed,
)
from tests.faults.records import Refresh

# One successor


def test_two_successors_of_one_token_are_found() -> None:
    (why,) = missteps(FIRST, refresh(2.05, "r0", "r2"))
    assert why == "r2 succeeds it, and r1 for reader"


def test_the_same_successor_for_whoever_asks_within_the_grace_is_none() -> None:
    again = [refresh(2.0 + number, "r0", "r1", by=f"reader-{number}") for number in range(3)]
    assert missteps(FIRST, *again) == []
    assert refusals(FIRST, *again) == []


def test_a_successor_that_two_tokens_share_is_found() -> None:
    assert missteps(FIRST, refresh(3.0, "r1", "r1")) == ["r1 was there before, for r0"]
    assert missteps(FIRST, refresh(3.0, "r1", "r2"), refresh(4.0, "r2", "r1"))


def test_a_token_that_succeeds_itself_is_found() -> None:
    assert missteps(refresh(2.0, "r0", "r0"))


# None after the end


@pytest.mark.parametrize(
    ("scope", "subjects"), [("session", ("s1",)), ("user", ("u0", "u1")), ("everyone", ())]
)
def test_a_refresh_begun_after_its_session_was_revoked_is_found(scope: str, subjects: Any) -> None:
    revocation = replace(LOGOUT, scope=scope, subjects=subjects)
    (why,) = missteps(revocation, refresh(11.5, "r0", "r1"))
    assert why == "begun 0.5000 s after writer was acknowledged logout/"


@pytest.mark.parametrize("start", [5.0, 9.95, 10.5, 10.99])
def test_one_begun_before_that_may_be_on_either_side(start: float) -> None:
    assert missteps(LOGOUT, refresh(start, "r0", "r1", took=5)) == []
    assert refusals(LOGOUT, refresh(start, took=5)) == []


def test_for_a_refresh_no_bound_is_granted() -> None:
    """It asks the database, on every backend."""
    late = replace(LOGOUT, late=1.5)
    assert judged(late, refresh(11.1, "r0", "r1"), bound=1.0).missteps


def test_what_was_not_acknowledged_binds_no_refresh() -> None:
    assert missteps(replace(LOGOUT, status=503), refresh(12.0, "r0", "r1")) == []


def test_a_database_set_back_may_let_it_go_on() -> None:
    lost = replace(LOGOUT, until=15.0)
    assert missteps(lost, refresh(14.0, "r0", "r1"))
    assert not missteps(lost, refresh(15.0, "r0", "r1"))


@pytest.mark.parametrize("minted", [9.0, 10.5])
def test_a_token_that_a_refresh_brought_dies_with_its_session(minted: float) -> None:
    """Also one that was minted while the revocation was under way."""
    made = refresh(minted, "r0", "r1", took=0.4)
    for revocation in (LOGOUT, replace(LOGOUT, scope="user", subjects=("u1",))):
        (violation,) = judged(made, revocation, read(11.5, "t of r1")).violations
        assert violation.token.name == "t of r1"


def test_a_session_that_was_opened_after_the_revocation_goes_on() -> None:
    user = replace(LOGOUT, scope="user", subjects=("u1",), start=0.2, end=0.4)
    assert missteps(user, FIRST) == []
    assert judged(user, FIRST, read(3.0, "t of r1")).violations == []


def test_a_revoked_access_token_leaves_the_session_and_its_other_tokens() -> None:
    denied = replace(LOGOUT, scope="token", subjects=("t0",))
    after = refresh(12.0, "r0", "r1"), read(13.0, "t of r1")
    findings = judged(denied, *after, read(13.0, "t0"))
    assert findings.missteps == []
    assert [one.token.name for one in findings.violations] == ["t0"]
    assert judged(denied, refresh(12.0)).refusals


# Access tokens only


def test_after_it_the_old_tokens_are_dead_and_a_refresh_brings_a_live_one() -> None:
    after = refresh(12.0, "r1", "r2")
    findings = judged(
        FIRST, ACCESS_ONLY, after, *[read(13.0, name) for name in ("t0", "t of r1", "t of r2")]
    )
    assert findings.missteps == []
    assert [one.token.name for one in findings.violations] == ["t0", "t of r1"]


def test_that_the_refresh_after_it_is_refused_is_found() -> None:
    assert refusals(ACCESS_ONLY, refresh(12.0))


def test_that_the_token_it_brought_is_refused_is_found() -> None:
    assert refusals(ACCESS_ONLY, refresh(12.0, "r0", "r1"), read(13.0, "t of r1", 401))


@pytest.mark.parametrize("status", [200, 401])
def test_a_token_minted_meanwhile_may_be_on_either_side(status: int) -> None:
    findings = judged(ACCESS_ONLY, refresh(10.5, "r0", "r1"), read(13.0, "t of r1", status))
    assert (findings.violations, findings.refusals) == ([], [])


# Replays


def test_a_used_token_accepted_after_the_grace_is_found() -> None:
    assert missteps(FIRST, refresh(5.3, "r0", "r1")) == ["used 3.2000 s before, by reader"]
    assert missteps(FIRST, refresh(5.1, "r0", "r1")) == []


def test_an_ancestor_accepted_is_found_within_the_grace_too() -> None:
    second = refresh(2.5, "r1", "r2")
    assert missteps(FIRST, second, refresh(3.0, "r0", "r1")) == [
        "its successor was used before, by reader"
    ]
    assert missteps(FIRST, second, refresh(2.55, "r0", "r1")) == []  # under way meanwhile


def test_a_used_token_accepted_from_another_user_agent_is_found() -> None:
    assert missteps(FIRST, refresh(3.0, "r0", "r1", agent="Thief")) == [
        "used by another user agent before, of reader"
    ]


def test_whose_user_agent_it_is_nobody_knows_when_both_came_at_once() -> None:
    """The grace is that of whoever was first, whom the answers do not tell."""
    thief = refresh(2.0, "r0", "r1", agent="Thief")
    assert missteps(FIRST, thief, refresh(3.0, "r0", "r1", agent="Thief")) == []


@pytest.mark.parametrize("again", [refresh(5.5), replayed(5.5)])
def test_a_refresh_accepted_after_one_was_refused_is_found(again: Refresh) -> None:
    """Whatever ended the session: nothing revives."""
    later = refresh(6.0, "r1", "r2")
    assert missteps(FIRST, again, later)[0] == "begun 0.4000 s after reader was refused for good"
    assert missteps(FIRST, again, replace(later, start=5.55)) == []


def test_what_a_database_set_back_forgot_is_held_against_nobody() -> None:
    """Neither that the token was used, nor that it was refused."""
    used, refused = replace(FIRST, until=7.0), replace(replayed(6.0), until=7.0)
    assert missteps(used, refused, refresh(6.9, "r0", "r1"))
    assert missteps(used, refused, refresh(7.0, "r0", "r1")) == []
    assert judged(used, refused, read(7.0, "t0")).violations == []


def test_after_a_conviction_no_access_token_is_accepted() -> None:
    convicted = replayed(6.0)
    for name in ("t0", "t of r1"):
        (violation,) = judged(FIRST, convicted, read(6.5, name)).violations
        assert "was acknowledged that a refresh token was used again" in str(violation)
        assert judged(FIRST, convicted, read(6.05, name)).violations == []


def test_a_conviction_that_was_answered_503_binds_nobody_and_excuses_a_refusal() -> None:
    unknown = replayed(6.0, status=503)
    assert judged(FIRST, unknown, read(6.5, "t0")).violations == []
    assert refusals(FIRST, unknown, read(6.5, "t0", 401), refresh(7.0, "r1")) == []


def test_a_refusal_that_was_no_conviction_binds_no_read() -> None:
    """It told of a log-out that is not acknowledged yet, and that others need not have heard of."""
    under_way = replace(LOGOUT, start=5.0, end=8.0)
    assert judged(under_way, refresh(6.0), read(6.5, "t0")).violations == []


# What it may be answered


@pytest.mark.parametrize("status", [204, 400, 403, 409, 429, 500])
def test_other_statuses_are_found(status: int) -> None:
    odd = refresh(2.0, status=status)
    assert judged(odd).wrong == [odd]


def test_503_is_found_once_all_should_be_well_and_so_are_slow_answers() -> None:
    unwell, slow = refresh(6.0, status=503), refresh(7.0, "r0", "r1", took=9.5)
    findings = judged(unwell, slow, healed=6.0)
    assert (findings.unwell, findings.slow) == ([unwell], [slow])


def test_a_session_that_nobody_opened_is_not_judged() -> None:
    stranger = replace(refresh(math.pi, "x0", "x1"), session="stranger")
    assert judged(stranger, replace(stranger, got="x2")).missteps == []


def test_what_was_done_is_counted() -> None:
    records = [FIRST, refresh(2.05, "r0", "r1"), replayed(6.0), refresh(7.0, "r1")]
    counts = judged(*records, refresh(4.0, "r0", "r1"), read(3.0, "t of r1")).evidence
    assert (counts["refreshes accepted"], counts["refreshes refused"]) == (3, 2)
    assert counts["refreshes at once"] == 2
    assert counts["refreshes due to be refused"] == 2
    assert counts["replays convicted"] == 1
    assert counts["reads of refreshed tokens accepted"] == 1
