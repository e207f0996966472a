"""Judges a run: was any token accepted after its revocation had been acknowledged?

Records in, findings out, and nothing else: no clock, no file, no database. Refreshes have a judge
of their own, ``rotations``, whose verdict is part of the findings.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults import rotations
from tests.faults.records import ALLOWED, Read, Record, Refresh, Revocation, SignIn, Token
from tests.faults.rotations import Misstep

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Violation:
    """A token that was accepted though it was revoked."""

    read: Read
    token: Token
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
    missteps: list[Misstep]
    refusals: list[Read | Misstep]
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
            *_listed("refreshes that had to be answered otherwise", self.missteps),
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
            "missteps": len(self.missteps),
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
    "refreshes accepted": 0.5,
    "refreshes at once": 0.1,
    "refreshes due to be refused": 0.1,
    "reads of refreshed tokens accepted": 0.1,
    "revocations acknowledged when healed": 0.1,
    "reads accepted when healed": 0.1,
}
"""Without so much of each, a run without violations would prove nothing."""


def examine(
    records: Iterable[Record],
    *,
    bound: float,
    limit: float,
    grace: float,
    healed: float = math.inf,
) -> Findings:
    """Hold every read against every revocation that covers its token.

    ``bound``: seconds after its acknowledgement from which a revocation must be seen by every
    request that begins; 0 is strict. A refresh asks the database: for it no bound is granted.
    ``limit``: the longest that anything may take. ``grace``: the site's ``REFRESH_GRACE``.
    ``healed``: the moment from which the site is to be whole again.
    """
    everything = list(records)
    reads = [record for record in everything if isinstance(record, Read)]
    refreshes = [record for record in everything if isinstance(record, Refresh)]
    revocations = [record for record in everything if isinstance(record, Revocation)]
    sign_ins = [record for record in everything if isinstance(record, SignIn)]
    tokens = {one.name: one for one in _tokens(sign_ins, refreshes)}
    ends = [*revocations, *rotations.convictions(refreshes)]
    reaching = _reaching(tokens.values(), ends)
    violations: list[Violation] = []
    of_revoked = 0
    for read in reads:
        due = [one for one in reaching[read.token] if _is_due(one, read, bound, tokens)]
        of_revoked += bool(due)
        if due and read.status == 200:
            # The one acknowledged first: how late the read is at worst.
            first = min(due, key=lambda one: one.end)
            violations.append(Violation(read, tokens[read.token], first))
    judged = rotations.judge(refreshes, sign_ins, revocations, grace=grace)
    unfounded = [read for read in reads if _is_unfounded(read, reaching[read.token])]
    refreshed = {one.token for one in refreshes}
    groups = {"read": reads, "refresh": refreshes, "revocation": revocations, "sign-in": sign_ins}
    return Findings(
        violations=violations,
        missteps=judged.missteps,
        refusals=[*unfounded, *judged.unfounded],
        wrong=[one for one in everything if one.status not in ALLOWED[type(one).__name__]],
        slow=[record for record in everything if record.end - record.start > limit],
        unwell=[one for one in everything if one.status == 503 and one.start >= healed],
        longest={
            kind: max((record.end - record.start for record in group), default=0.0)
            for kind, group in groups.items()
        },
        evidence=Counter(
            {
                "sign-ins": sum(one.status == 200 for one in sign_ins),
                "reads of revoked tokens": of_revoked,
                "reads of refreshed tokens accepted": sum(
                    read.status == 200 and read.token in refreshed for read in reads
                ),
                "refreshes at once": judged.at_once,
                "refreshes due to be refused": judged.due,
                "replays convicted": sum(one.convicted for one in refreshes),
                **_counted("revocations", revocations, healed),
                **_counted("refreshes", refreshes, healed),
                **_counted("reads", reads, healed),
            }
        ),
    )


def _tokens(sign_ins: list[SignIn], refreshes: list[Refresh]) -> Iterator[Token]:
    """Every access token that anybody was given."""
    sessions = {one.session: one for one in sign_ins if one.status == 200}
    for one in sessions.values():
        yield one.access
    for refresh in refreshes:
        if refresh.status == 200 and (sign_in := sessions.get(refresh.session)):
            opened, made = sign_in.access.opened, (refresh.start, refresh.end)
            yield Token(refresh.token, refresh.session, sign_in.user, opened, made)


def _counted(what: str, records: Sequence[Record], healed: float) -> dict[str, int]:
    statuses = Counter(record.status for record in records)
    late = Counter(record.status for record in records if record.start >= healed)
    accepted = "acknowledged" if what == "revocations" else "accepted"
    return {
        f"{what} {accepted}": statuses[200] + statuses[204],
        f"{what} {accepted} when healed": late[200] + late[204],
        f"{what} refused": statuses[401],
        f"{what} answered 503": statuses[503],
    }


def _is_due(revocation: Revocation, read: Read, bound: float, tokens: dict[str, Token]) -> bool:
    """Whether that request began when the revocation had to be seen by everybody."""
    since = revocation.end + bound + revocation.late
    in_time = since <= read.start < revocation.until
    return revocation.acknowledged and in_time and revocation.covers(tokens[read.token])


def _is_unfounded(read: Read, reaching: list[Revocation]) -> bool:
    """Whether it was refused with no revocation so much as begun; tried is enough of a reason."""
    return read.status == 401 and not any(one.start <= read.end for one in reaching)


def _reaching(
    tokens: Iterable[Token], revocations: Iterable[Revocation]
) -> defaultdict[str, list[Revocation]]:
    """Token → the revocations that may reach it, acknowledged or not."""
    by_subject: defaultdict[tuple[str, str], list[Token]] = defaultdict(list)
    for token in tokens:
        for key in _keys(token):
            by_subject[key].append(token)
    found: defaultdict[str, list[Revocation]] = defaultdict(list)
    for revocation in revocations:
        subjects = ("",) if revocation.scope == "everyone" else revocation.subjects
        for subject in subjects:
            for token in by_subject[revocation.scope, subject]:
                if revocation.may_reach(token):
                    found[token.name].append(revocation)
    return found


def _keys(token: Token) -> Iterator[tuple[str, str]]:
    yield "token", token.name
    yield "session", token.session
    yield "user", token.user
    yield "everyone", ""


def _listed(what: str, found: Sequence[object]) -> list[str]:
    if not found:
        return []
    shown = [f"  {item}" for item in found[:_SHOWN]]
    return [f"{len(found)} {what}:", *shown, *(["  …"] if len(found) > _SHOWN else [])]
