"""The last lines of the log: what was done on trial, and that what is planted is kept apart."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.faults import totals
from tests.faults.intervals import examine
from tests.faults.records import Read, Refresh, Revocation, SignIn

RECORDS = [
    SignIn("t0", session="s", user="u", start=0, end=1, status=200, by="w", refresh="r0"),
    Refresh("s", "r0", "r1", 2, 3, 200, by="r", token="t1"),
    Revocation("session", ("s",), 4, 5, 204, by="w", how="logout/"),
    Read("t1", 6, 7, 401, by="r"),
    Read("t1", 6, 7, 503, by="r"),
]


def counted(*more: Any, planted: bool = False) -> str:
    records = [*RECORDS, *more]
    findings = examine(records, bound=0, limit=9, grace=3)
    return totals.count(records, findings, steps=1_000, planted=planted)


def test_two_runs_are_added_up() -> None:
    assert totals.table([counted(), counted()]) == [
        "                  done  accepted   refused       503     other",
        "sign-ins             2         2         0         0         0",
        "refreshes            2         2         0         0         0",
        "reads                4         0         2         2         0",
        "revocations          2         2         0         0         0",
        "10 operations in 2 runs, 2,000 steps of faults: 0 violations",
    ]


@pytest.mark.parametrize(
    "bad",
    [
        Read("t1", 6, 7, 200, by="r"),
        Read("t1", 3.5, 3.6, 500, by="r"),
        replace(RECORDS[1], got="r2", token="t2"),
    ],
)
def test_whatever_may_not_be_is_a_violation(bad: Any) -> None:
    assert totals.table([counted(bad)])[-1].endswith(": 1 violations")


def test_what_was_wrong_on_purpose_is_told_apart() -> None:
    wrong = counted(Read("t1", 6, 7, 200, by="r"), planted=True)
    assert totals.table([wrong, counted()])[-2:] == [
        "5 operations in 1 runs, 1,000 steps of faults: 0 violations",
        "Wrong on purpose: 1 runs, 1 violations found",
    ]
