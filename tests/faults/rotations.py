"""Judges the refreshes of a run: one successor, none after the end, and no end without a cause.

Pure, as the rest of the judge. A session's refresh tokens are a chain; what a token may still be
answered follows from who presented it, and its successor, before and meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from tests.faults.records import Refresh, Revocation, SignIn

SLACK: Final = 0.1
"""Seconds by which the database's clock, which measures the grace, may differ from ours over it."""


@dataclass(frozen=True, slots=True)
class Misstep:
    """A refresh that was answered otherwise than it may be, and why not."""

    refresh: Refresh
    why: str

    def __str__(self) -> str:
        one = self.refresh
        return (
            f"{one.by} had {one.status} for {one.presented} (session {one.session}) from "
            f"{one.start:.4f} to {one.end:.4f}: {self.why}"
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """``due``: how many had to be refused; ``at_once``: how many had the successor that another
    one had at the same time."""

    missteps: list[Misstep]
    unfounded: list[Misstep]
    due: int
    at_once: int


def judge(
    refreshes: Iterable[Refresh],
    sign_ins: Iterable[SignIn],
    revocations: Iterable[Revocation],
    *,
    grace: float,
) -> Judgement:
    """Hold every refresh against the others of its session, and what ended that."""
    sessions = {one.session: one for one in sign_ins if one.status == 200}
    histories: defaultdict[str, list[Refresh]] = defaultdict(list)
    for refresh in refreshes:
        histories[refresh.session].append(refresh)
    ending = [one for one in revocations if one.ends_sessions]
    missteps: list[Misstep] = []
    unfounded: list[Misstep] = []
    due = at_once = 0
    for session in histories.keys() & sessions.keys():
        token = sessions[session].access
        chain = Chain(
            histories[session],
            covering=[one for one in ending if one.covers(token)],
            reaching=[one for one in ending if one.may_reach(token)],
            grace=grace,
        )
        missteps += chain.forks()
        for refresh in histories[session]:
            reasons = list(chain.reasons_to_refuse(refresh))
            due += bool(reasons)
            at_once += chain.is_at_once(refresh)
            if reasons and refresh.status == 200:
                missteps.append(Misstep(refresh, reasons[0]))
            if refresh.status == 401 and (why := chain.why_unfounded(refresh)):
                unfounded.append(Misstep(refresh, why))
    order = lambda one: one.refresh.start  # noqa: E731  (twice, and nowhere else)
    return Judgement(sorted(missteps, key=order), sorted(unfounded, key=order), due, at_once)


def convictions(refreshes: Iterable[Refresh]) -> list[Revocation]:
    """What a replay ended: its session, as if by whoever answered it."""
    return [
        Revocation(
            "session",
            (one.session,),
            one.start,
            one.end,
            200 if one.status == 401 else one.status,
            by=one.by,
            how="that a refresh token was used again",
            until=one.until,
        )
        for one in refreshes
        if one.convicted
    ]


@dataclass
class Chain:
    """The refreshes of one session, and the revocations that end it for certain, or may."""

    refreshes: list[Refresh]
    covering: list[Revocation]
    reaching: list[Revocation]
    grace: float
    of_token: defaultdict[str, list[Refresh]] = field(init=False)
    successors: defaultdict[str, set[str]] = field(init=False)

    def __post_init__(self) -> None:
        self.of_token, self.successors = defaultdict(list), defaultdict(set)
        for one in self.refreshes:
            self.of_token[one.presented].append(one)
            if one.status == 200:
                self.successors[one.presented].add(one.got)

    def forks(self) -> Iterator[Misstep]:
        """Where a token has another successor than it had, or shares it with another token."""
        first: dict[str, Refresh] = {}
        parent: dict[str, Refresh] = {}
        for one in sorted(self.refreshes, key=lambda one: one.end):
            if one.status != 200:
                continue
            earlier = first.setdefault(one.presented, one)
            if earlier.got != one.got:
                yield Misstep(one, f"{one.got} succeeds it, and {earlier.got} for {earlier.by}")
            elder = parent.setdefault(one.got, one)
            if one.got == one.presented or elder.presented != one.presented:
                yield Misstep(one, f"{one.got} was there before, for {elder.presented}")

    def reasons_to_refuse(self, this: Refresh) -> Iterator[str]:
        """Each of them enough, and certain whatever overlapped."""
        for end in self.covering:
            if end.acknowledged and end.end <= this.start < end.until:
                since = this.start - end.end
                yield f"begun {since:.4f} s after {end.by} was acknowledged {end.how}"
        for one in self._known_to(this, self.refreshes):
            if one.status == 401:
                yield f"begun {this.start - one.end:.4f} s after {one.by} was refused for good"
        uses = [one for one in self._known_to(this, self.of_token[this.presented]) if one.got]
        for one in uses:
            if this.start - one.end >= self.grace + SLACK:
                yield f"used {this.start - one.end:.4f} s before, by {one.by}"
            for later in self._known_to(this, self.of_token[one.got]):
                if later.status == 200:
                    yield f"its successor was used before, by {later.by}"
        # Whoever of them rotated: none was of this user agent.
        if uses and all(one.agent != this.agent for one in self._others_of_token(this)):
            yield f"used by another user agent before, of {uses[0].by}"

    def why_unfounded(self, this: Refresh) -> str:
        """``""`` where a refusal has a cause; what was under way meanwhile is cause enough."""
        if this.convicted:
            return "" if self._may_be_replay(this) else "nobody had used it, and it is a replay"
        ended = any(one.start <= this.end for one in self.reaching) or any(
            one.start <= this.end and self._may_convict(one) for one in self.refreshes
        )
        return "" if ended else "nothing had ended its session"

    def is_at_once(self, this: Refresh) -> bool:
        """Whether another of the same token overlaps it, and both have the successor."""
        return this.status == 200 and any(
            one is not this and one.status == 200 and one.start < this.end and this.start < one.end
            for one in self.of_token[this.presented]
        )

    def _known_to(self, this: Refresh, refreshes: list[Refresh]) -> list[Refresh]:
        """Those that had ended when it began, and were not forgotten since."""
        return [one for one in refreshes if one.end <= this.start < one.until]

    def _others_of_token(self, this: Refresh) -> list[Refresh]:
        """Who else may have used its token before it was answered."""
        return [
            one
            for one in self.of_token[this.presented]
            if one is not this and one.may_have_rotated and one.start <= this.end
        ]

    def _may_convict(self, this: Refresh) -> bool:
        """Unanswered, it may have ended the session and not lived to say so."""
        return this.convicted or (this.status not in {200, 401} and self._may_be_replay(this))

    def _may_be_replay(self, this: Refresh) -> bool:
        """Whether its token may have been used before, and not just now by the same client.

        Its own use counts for the time: stopped in the middle, it meets itself.
        """
        others = self._others_of_token(this)
        late = this.end - min(one.start for one in [this, *others]) >= self.grace - SLACK
        foreign = any(one.agent != this.agent for one in others)
        descendants = [
            one for name in self.successors[this.presented] for one in self.of_token[name]
        ]
        return (
            late
            or foreign
            or any(one.may_have_rotated and one.start <= this.end for one in descendants)
        )
