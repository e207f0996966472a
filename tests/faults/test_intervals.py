"""The judge: what it convicts, what it lets go, and what it takes for no proof at all."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from tests.faults.intervals import Findings, examine
from tests.faults.records import Read, Record, Refresh, Revocation, SignIn

TOKEN = SignIn("t1", session="s1", user="u1", start=0.0, end=1.0, status=200, by="writer")
LOGOUT = Revocation("session", ("s1",), 10.0, 11.0, 204, by="writer", how="logout/")


def read(start: float, status: int = 200, token: str = "t1", took: float = 0.1) -> Read:
    return Read(token, start, start + took, status, by="reader")


def judged(*records: Record, bound: float = 0.0, limit: float = 3.0, **more: Any) -> Findings:
    return examine([TOKEN, *records], bound=bound, limit=limit, grace=3.0, **more)


def test_a_read_begun_after_the_acknowledgement_is_a_violation() -> None:
    (violation,) = judged(LOGOUT, read(11.5)).violations
    assert violation.read.start == 11.5
    assert "0.5000 s after writer was acknowledged logout/" in str(violation)


def test_a_read_begun_in_the_moment_of_the_acknowledgement_is_one() -> None:
    assert judged(LOGOUT, read(11.0)).violations


@pytest.mark.parametrize("start", [5.0, 10.5, 10.99])
def test_a_read_begun_before_it_is_none_whenever_it_ended(start: float) -> None:
    assert not judged(LOGOUT, read(start, took=5)).violations


@pytest.mark.parametrize("status", [401, 503])
def test_a_read_that_was_not_accepted_is_none(status: int) -> None:
    assert not judged(LOGOUT, read(12.0, status)).violations


@pytest.mark.parametrize("status", [500, 503])
def test_what_was_not_acknowledged_binds_nobody(status: int) -> None:
    assert not judged(replace(LOGOUT, status=status), read(12.0)).violations


def test_within_the_bound_a_read_may_be_stale() -> None:
    assert not judged(LOGOUT, read(11.9), bound=1.0).violations
    assert judged(LOGOUT, read(12.0), bound=1.0).violations


def test_who_died_before_publishing_is_granted_more() -> None:
    died = replace(LOGOUT, late=1.0)
    assert not judged(died, read(12.9), bound=1.0).violations
    assert judged(died, read(13.0), bound=1.0).violations


def test_of_two_revocations_the_first_counts() -> None:
    again = replace(LOGOUT, start=20.0, end=21.0)
    (violation,) = judged(again, LOGOUT, read(22.0)).violations
    assert violation.revocation == LOGOUT


def test_a_database_set_back_knows_nothing_of_it_any_more() -> None:
    lost = replace(LOGOUT, until=15.0)
    assert judged(lost, read(14.0)).violations
    assert not judged(lost, read(15.0)).violations


@pytest.mark.parametrize(
    ("scope", "subjects"),
    [("token", ("t1",)), ("session", ("s0", "s1")), ("user", ("u1", "u2")), ("everyone", ())],
)
def test_every_scope_reaches_the_token(scope: str, subjects: tuple[str, ...]) -> None:
    revocation = replace(LOGOUT, scope=scope, subjects=subjects)
    assert judged(revocation, read(12.0)).violations


@pytest.mark.parametrize(
    ("scope", "subject"), [("token", "t2"), ("session", "s2"), ("user", "u2"), ("token", "s1")]
)
def test_what_is_about_another_does_not(scope: str, subject: str) -> None:
    revocation = replace(LOGOUT, scope=scope, subjects=(subject,))
    assert not judged(revocation, read(12.0)).violations


@pytest.mark.parametrize("scope", ["user", "everyone"])
def test_a_sign_in_after_the_revocation_or_beside_it_lives(scope: str) -> None:
    revocation = replace(LOGOUT, scope=scope, subjects=("u1",))
    beside = replace(TOKEN, token="t2", start=9.5, end=10.5)
    after = replace(TOKEN, token="t3", start=12.0, end=13.0)
    reads = [read(14.0, token=name) for name in ("t2", "t3")]
    assert not judged(revocation, beside, after, *reads).violations


def test_a_live_token_that_is_refused_is_found() -> None:
    assert judged(read(5.0, 401), LOGOUT).refusals
    assert not judged(read(9.95, 401), LOGOUT).refusals  # the revocation began meanwhile


def test_a_revocation_that_failed_is_reason_enough_for_a_refusal() -> None:
    """Nobody knows whether it was committed."""
    assert not judged(replace(LOGOUT, status=503), read(12.0, 401)).refusals


def test_other_statuses_are_found() -> None:
    odd = [read(1.0, 500), replace(LOGOUT, status=500), replace(TOKEN, status=409)]
    assert judged(*odd).wrong == odd


def test_slow_answers_are_found() -> None:
    slow = [read(1.0, took=3.5), replace(LOGOUT, start=1.0, end=5.0)]
    assert judged(*slow, read(2.0, took=2.9)).slow == slow


def test_503_is_found_once_all_should_be_well() -> None:
    assert judged(read(5.0, 503), healed=6.0).unwell == []
    assert judged(read(6.0, 503), healed=6.0).unwell == [read(6.0, 503)]


def good_run() -> list[Record]:
    reads = [read(2.0 + number / 100) for number in range(100)]
    refused = [read(12.0 + number / 100, 401) for number in range(100)]
    others = [
        replace(TOKEN, token=f"x{number}", session=f"x{number}", start=20.0, end=20.1)
        for number in range(60)
    ]
    ended = [replace(LOGOUT, subjects=(one.session,), start=21.0, end=21.1) for one in others]
    refreshed = [
        Refresh(one.session, "r0", "r1", 20.2, 20.3, 200, by="reader", token=f"{one.token}.1")
        for one in [*others, *others]
    ]
    reads += [read(20.4, token=one.token) for one in refreshed]
    gone = [replace(one, got="", status=401, start=22.0, end=22.1) for one in refreshed]
    return [LOGOUT, *reads, *refused, *others, *ended, *refreshed, *gone]


def test_a_good_run_has_no_problems() -> None:
    assert judged(*good_run(), healed=0.0).problems() == []


@pytest.mark.parametrize(
    ("without", "lacking"),
    [
        (lambda one: isinstance(one, Revocation), "revocations acknowledged: 0"),
        (lambda one: one.status == 200 and isinstance(one, Read), "reads accepted: 0"),
        (lambda one: one.status == 200 and isinstance(one, Refresh), "refreshes accepted: 0"),
        (lambda one: isinstance(one, Refresh), "refreshes at once: 0"),
        (
            lambda one: one.status == 401 and isinstance(one, Refresh),
            "refreshes due to be refused: 0",
        ),
        (
            lambda one: isinstance(one, Read) and one.token.endswith(".1"),
            "reads of refreshed tokens accepted: 0",
        ),
        (lambda one: one.status == 401, "reads refused: 0"),
        (lambda one: one == LOGOUT, "reads of revoked tokens: 0"),
    ],
)
def test_a_run_that_shows_nothing_is_no_pass(without: Any, lacking: str) -> None:
    records = [one for one in good_run() if not without(one)]
    assert f"The run says little: {lacking}" in judged(*records, healed=0.0).problems()


def test_a_site_that_never_recovers_is_no_pass() -> None:
    problems = judged(*good_run(), healed=30.0).problems()
    assert "The run says little: reads accepted when healed: 0" in problems
    assert "The run says little: revocations acknowledged when healed: 0" in problems


@pytest.mark.parametrize(
    ("bad", "found"),
    [
        (read(12.0), "1 accepted after their revocation:"),
        (read(3.0, 401), "1 live tokens refused:"),
        (read(3.0, 500), "1 answers with a status of their own:"),
        (read(3.0, took=4.0), "1 answers too late:"),
        (read(30.0, 503), "1 answers of 503 though all was well again:"),
    ],
)
def test_one_bad_answer_among_the_good_is_named(bad: Read, found: str) -> None:
    assert judged(*good_run(), bad, healed=0.0).problems()[0] == found


def test_that_live_tokens_were_refused_may_be_all_right() -> None:
    findings = judged(*good_run(), read(3.0, 401), healed=0.0)
    assert findings.problems(may_refuse=True) == []


def test_a_long_list_is_cut() -> None:
    found = judged(*[read(12.0)] * 20, LOGOUT).problems()
    assert found[0] == "20 accepted after their revocation:"
    assert found[9] == "  …"


def test_a_token_nobody_signed_in_for_is_no_violation() -> None:
    stranger = read(math.pi, token="stranger")
    assert judged(stranger).violations == []
