"""Judges a run: was any token accepted after its revocation had been acknowledged?

Records in, findings out, and nothing else: no clock, no file, no database. Every moment is in
seconds of CLOCK_MONOTONIC, which all processes of a machine share, so that what one process
acknowledged can be held against what another one began later.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

READ_STATUSES: Final = frozenset({200, 401, 503})
WRITE_STATUSES: Final = frozenset({200, 204, 503})
_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class SignIn:
    """A token, from when on it may be used; ``token`` is a name for it, ``text`` the thing."""

    token: str
    session: str
    user: str
    start: float
    end: float
    status: int
    by: str
    text: str = field(default="", repr=False)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """A request with an access token, and its answer."""

    token: str
    start: float
    end: float
    status: int
    by: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revocation that was asked for; acknowledged at ``end`` if its status says success.

    ``late``: seconds it may take to be seen beyond the bound of the run, when whoever committed it
    did not live to publish it. ``until``: the moment from which a database set back does not know
    of it any more.
    """

    scope: str
    subjects: tuple[str, ...]
    start: float
    end: float
    status: int
    by: str
    how: str
    late: float = 0.0
    until: float = math.inf
    note: str = ""

    @property
    def acknowledged(self) -> bool:
        return self.status in {200, 204}

    def covers(self, token: SignIn) -> bool:
        """Whether it kills that token. A sign-in under way meanwhile may be on either side."""
        if self.scope == "token":
            return token.token in self.subjects
        if self.scope == "session":
            return token.session in self.subjects
        signed_in_before = token.end <= self.start
        return signed_in_before and (self.scope == "everyone" or token.user in self.subjects)


Record = SignIn | Read | Revocation


@dataclass(frozen=True, slots=True)
class Violation:
    """A token that was accepted though it was revoked."""

    read: Read
    token: SignIn
    revocation: Revocation

    def __str__(self) -> str:
        read, revocation = self.read, self.revocation
        return (
            f"{read.by} had 200 for {read.token} (user {self.token.user}, session "
            f"{self.token.session}) from {read.start:.4f} to {read.end:.4f}, begun "
            f"{read.start - revocation.end:.4f} s after {revocation.by} was acknowledged "
            f"{revocation.how} ({revocation.scope}, from {revocation.start:.4f} to "
            f"{revocation.end:.4f})"
        )


@dataclass(frozen=True)
class Findings:
    """What a run showed; ``evidence`` says whether it showed anything."""

    violations: list[Violation]
    refusals: list[Read]
    wrong: list[Record]
    slow: list[Record]
    unwell: list[Record]
    longest: dict[str, float]
    evidence: Counter[str]

    def problems(self, *, at_least: int = 20, may_refuse: bool = False) -> list[str]:
        """What is wrong with the run, one line each; ``[]`` is a pass.

        ``may_refuse``: whether live tokens may have been refused; fail-closed is no violation.
        """
        found = [
            *_listed("accepted after their revocation", self.violations),
            *_listed("answers with a status of their own", self.wrong),
            *_listed("answers too late", self.slow),
        ]
        if not may_refuse:
            found += _listed("live tokens refused", self.refusals)
        for what, share in EVIDENCE.items():
            if self.evidence[what] < at_least * share:
                found.append(f"The run says little: {what}: {self.evidence[what]}")
        found += _listed("answers of 503 though all was well again", self.unwell)
        return found

    def __str__(self) -> str:
        counts = {
            "violations": len(self.violations),
            "live tokens refused": len(self.refusals),
            "wrong statuses": len(self.wrong),
            "slow": len(self.slow),
            "503 when healed": len(self.unwell),
            **dict(sorted(self.evidence.items())),
        }
        longest = [f"longest {kind}: {seconds:.2f} s" for kind, seconds in self.longest.items()]
        return ", ".join([*(f"{name}: {count}" for name, count in counts.items()), *longest])


EVIDENCE: Final = {
    "revocations acknowledged": 1.0,
    "reads accepted": 1.0,
    "reads refused": 1.0,
    "reads of revoked tokens": 1.0,
    "revocations acknowledged when healed": 0.1,
    "reads accepted when healed": 0.1,
}
"""Without so much of each, a run without violations would prove nothing."""


def examine(
    records: Iterable[Record], *, bound: float, limit: float, healed: float = math.inf
) -> Findings:
    """Hold every read against every revocation that covers its token.

    ``bound``: seconds after its acknowledgement from which a revocation must be seen by every
    request that begins; 0 is strict. ``limit``: the longest that anything may take. ``healed``: the
    moment from which the site is to be whole again.
    """
    everything = list(records)
    reads = [record for record in everything if isinstance(record, Read)]
    revocations = [record for record in everything if isinstance(record, Revocation)]
    sign_ins = [record for record in everything if isinstance(record, SignIn)]
    tokens = {one.token: one for one in sign_ins if one.status == 200}
    covering = _covering(tokens.values(), revocations)
    violations: list[Violation] = []
    of_revoked = 0
    for read in reads:
        due = [one for one in covering[read.token] if _is_due(one, read, bound)]
        of_revoked += bool(due)
        if due and read.status == 200:
            # The one acknowledged first: how late the read is at worst.
            first = min(due, key=lambda one: one.end)
            violations.append(Violation(read, tokens[read.token], first))
    return Findings(
        violations=violations,
        refusals=[read for read in reads if _is_unfounded(read, covering[read.token])],
        wrong=[record for record in everything if record.status not in _allowed(record)],
        slow=[record for record in everything if record.end - record.start > limit],
        unwell=[one for one in everything if one.status == 503 and one.start >= healed],
        longest={
            kind: max((record.end - record.start for record in group), default=0.0)
            for kind, group in (("read", reads), ("revocation", revocations), ("sign-in", sign_ins))
        },
        evidence=Counter(
            {
                "sign-ins": len(tokens),
                "reads of revoked tokens": of_revoked,
                **_counted("revocations", revocations, healed),
                **_counted("reads", reads, healed),
            }
        ),
    )


def _counted(what: str, records: list[Any], healed: float) -> dict[str, int]:
    statuses = Counter(record.status for record in records)
    late = Counter(record.status for record in records if record.start >= healed)
    accepted = "acknowledged" if what == "revocations" else "accepted"
    return {
        f"{what} {accepted}": statuses[200] + statuses[204],
        f"{what} {accepted} when healed": late[200] + late[204],
        f"{what} refused": statuses[401],
        f"{what} answered 503": statuses[503],
    }


def _is_due(revocation: Revocation, read: Read, bound: float) -> bool:
    """Whether that request began when the revocation had to be seen by everybody."""
    since = revocation.end + bound + revocation.late
    return revocation.acknowledged and since <= read.start < revocation.until


def _is_unfounded(read: Read, covering: list[Revocation]) -> bool:
    """Whether it was refused with no revocation so much as begun; tried is enough of a reason."""
    return read.status == 401 and not any(one.start <= read.end for one in covering)


def _covering(
    tokens: Iterable[SignIn], revocations: Iterable[Revocation]
) -> defaultdict[str, list[Revocation]]:
    """Token → the revocations that cover it, acknowledged or not."""
    by_subject: defaultdict[tuple[str, str], list[SignIn]] = defaultdict(list)
    for token in tokens:
        for scope, subject in _keys(token):
            by_subject[scope, subject].append(token)
    found: defaultdict[str, list[Revocation]] = defaultdict(list)
    for revocation in revocations:
        subjects = ("",) if revocation.scope == "everyone" else revocation.subjects
        for subject in subjects:
            for token in by_subject[revocation.scope, subject]:
                if revocation.covers(token):
                    found[token.token].append(revocation)
    return found


def _keys(token: SignIn) -> Iterator[tuple[str, str]]:
    yield "token", token.token
    yield "session", token.session
    yield "user", token.user
    yield "everyone", ""


def _allowed(record: Record) -> frozenset[int]:
    return READ_STATUSES if isinstance(record, Read) else WRITE_STATUSES


def _listed(what: str, found: list[Violation] | list[Record] | list[Read]) -> list[str]:
    if not found:
        return []
    shown = [f"  {item}" for item in found[:_SHOWN]]
    return [f"{len(found)} {what}:", *shown, *(["  …"] if len(found) > _SHOWN else [])]
