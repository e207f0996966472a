"""Hand-written histories of one session, for the judge of refreshes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.faults.intervals import Findings, examine
from tests.faults.records import Read, Record, Refresh, Revocation, SignIn

GRACE = 3.0
SIGN_IN = SignIn(
    "t0", session="s1", user="u1", start=0.0, end=1.0, status=200, by="writer", refresh="r0"
)
LOGOUT = Revocation("session", ("s1",), 10.0, 11.0, 204, by="writer", how="logout/")
ACCESS_ONLY = replace(LOGOUT, scope="user", subjects=("u1",), effect="access")


def refresh(
    start: float, presented: str = "r0", got: str = "", *, took: float = 0.1, **more: Any
) -> Refresh:
    """Refused, unless it got something: then its access token is named after that."""
    values: dict[str, Any] = {"status": 200 if got else 401, "by": "reader", "agent": "Client"}
    end = start + took
    token = f"t of {got}" if got else ""
    return Refresh("s1", presented, got, start, end, **values | {"token": token} | more)


def replayed(start: float, presented: str = "r0", **more: Any) -> Refresh:
    return refresh(start, presented, convicted=True, **more)


def read(start: float, token: str, status: int = 200) -> Read:
    return Read(token, start, start + 0.1, status, by="reader")


def judged(*records: Record, **more: Any) -> Findings:
    return examine([SIGN_IN, *records], **{"bound": 0.0, "limit": 9.0, "grace": GRACE} | more)


def missteps(*records: Record) -> list[str]:
    return [one.why for one in judged(*records).missteps]


def refusals(*records: Record) -> list[Any]:
    return judged(*records).refusals


FIRST = refresh(2.0, "r0", "r1")
