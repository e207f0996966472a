"""The judge of refreshes: no session ends without a cause. Invariant 5."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.faults.histories import (
    FIRST,
    LOGOUT,
    missteps,
    read,
    refresh,
    refusals,
    replayed,
)
from tests.faults.records import Refresh


def test_a_live_session_refused_is_found() -> None:
    (misstep,) = refusals(refresh(2.0))
    assert misstep.why == "nothing had ended its session"
    assert "reader had 401 for r0 (session s1) from 2.0000 to 2.1000" in str(misstep)


def test_that_somebody_else_was_refused_as_well_excuses_nobody() -> None:
    assert len(refusals(refresh(2.0), refresh(2.05, by="other"))) == 2


def test_a_conviction_of_a_token_that_nobody_had_used_is_found() -> None:
    (misstep,) = refusals(replayed(2.0))
    assert misstep.why == "nobody had used it, and it is a replay"
    assert refusals(LOGOUT, replayed(10.5))  # a session that has ended convicts nobody


def test_a_conviction_within_the_grace_from_the_same_user_agent_is_found() -> None:
    assert refusals(FIRST, replayed(3.0))


@pytest.mark.parametrize(
    "again",
    [
        replayed(5.0),  # the grace may have been over
        replayed(2.05, agent="Thief"),
        replayed(0.5, took=4.0),  # it was stopped in the middle, and met itself
    ],
)
def test_a_conviction_of_a_token_that_may_have_been_used_is_founded(again: Refresh) -> None:
    assert refusals(FIRST, again) == []


def test_so_is_one_of_an_ancestor() -> None:
    assert refusals(FIRST, refresh(2.5, "r1", "r2"), replayed(2.8)) == []
    assert refusals(FIRST, refresh(2.5, "r1", status=503), replayed(2.8)) == []


def test_a_use_that_was_not_answered_may_have_been_one() -> None:
    assert refusals(refresh(2.0, status=503), replayed(5.5)) == []


def test_a_use_that_was_refused_was_none() -> None:
    found = refusals(refresh(2.0), replayed(5.5))
    assert len(found) == 2


def test_a_conviction_is_reason_enough_for_the_refusals_after_it() -> None:
    convicted = replayed(6.0)
    after = refresh(6.05, "r1"), refresh(7.0, "r1"), read(7.0, "t of r1", 401)
    assert refusals(FIRST, convicted, *after) == []


def test_revoking_one_access_token_is_none() -> None:
    denied = replace(LOGOUT, scope="token", subjects=("t0",))
    assert refusals(denied, refresh(12.0))


@pytest.mark.parametrize("scope", ["user", "everyone"])
def test_a_sign_in_beside_the_revocation_may_have_been_ended_by_it(scope: str) -> None:
    beside = replace(LOGOUT, scope=scope, subjects=("u1",), start=0.5, end=0.7)
    assert refusals(beside, refresh(2.0)) == []
    assert missteps(beside, FIRST) == []


def test_a_revocation_begun_after_the_refusal_excuses_nothing() -> None:
    assert refusals(LOGOUT, refresh(5.0))


def test_a_replay_that_was_not_answered_may_have_ended_it() -> None:
    """Who ended the session could not tell everybody of it, and so not that it was a conviction."""
    assert refusals(FIRST, refresh(6.0, status=503), refresh(7.0, "r1")) == []
    assert refusals(FIRST, refresh(2.5, status=503), refresh(7.0, "r1"))
