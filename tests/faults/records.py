"""What the processes of a run write down: each operation, when it began and ended, its answer.

Every moment is in seconds of CLOCK_MONOTONIC, which all processes of a machine share, so that what
one process acknowledged can be held against what another one began later.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

ALLOWED: Final = {
    "SignIn": frozenset({200, 503}),
    "Read": frozenset({200, 401, 503}),
    "Refresh": frozenset({200, 401, 503}),
    "Revocation": frozenset({200, 204, 503}),
}
"""What each may be answered; nothing here is malformed, and no rate is set."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, with the moments between which its session was opened, and it was made."""

    name: str
    session: str
    user: str
    opened: tuple[float, float]
    made: tuple[float, float]


@dataclass(frozen=True, slots=True)
class SignIn:
    """A session, with its first tokens; ``token`` and ``refresh`` are names for them, the texts
    are the things. From ``end`` on they may be used."""

    token: str
    session: str
    user: str
    start: float
    end: float
    status: int
    by: str
    refresh: str = ""
    text: str = field(default="", repr=False)
    refresh_text: str = field(default="", repr=False)
    note: str = ""

    @property
    def access(self) -> Token:
        """Its access token."""
        moments = self.start, self.end
        return Token(self.token, self.session, self.user, opened=moments, made=moments)


@dataclass(frozen=True, slots=True)
class Refresh:
    """A refresh token that was presented, the one that was ``got`` for it, and an access token.

    ``convicted``: the process that answered took it for a replay and ended the session; the
    answer itself does not say so. ``until``: as of a revocation.
    """

    session: str
    presented: str
    got: str
    start: float
    end: float
    status: int
    by: str
    token: str = ""
    agent: str = ""
    convicted: bool = False
    until: float = math.inf
    text: str = field(default="", repr=False)
    refresh_text: str = field(default="", repr=False)
    note: str = ""

    @property
    def may_have_rotated(self) -> bool:
        """Of what was not acknowledged nobody knows whether it was committed."""
        return self.status != 401


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

    ``effect``: "access" leaves the sessions, whose refresh tokens bring live ones. ``late``:
    seconds it may take to be seen beyond the bound of the run, when whoever committed it did not
    live to publish it. ``until``: the moment from which a database set back does not know of it
    any more.
    """

    scope: str
    subjects: tuple[str, ...]
    start: float
    end: float
    status: int
    by: str
    how: str
    effect: str = "session"
    late: float = 0.0
    until: float = math.inf
    note: str = ""

    @property
    def acknowledged(self) -> bool:
        return self.status in {200, 204}

    def covers(self, token: Token) -> bool:
        """Whether it kills that token for certain. What was under way meanwhile may be on either
        side of it."""
        return self._is_about(token) and self._moments(token)[1] <= self.start

    def may_reach(self, token: Token) -> bool:
        """Whether it may have killed that token: what was begun after it lives."""
        return self._is_about(token) and self._moments(token)[0] <= self.end

    def _moments(self, token: Token) -> tuple[float, float]:
        """Between which that was made which has to be there before the revocation."""
        if self.scope in {"token", "session"}:
            return -math.inf, -math.inf  # named by what it is, whenever that was made
        return token.opened if self.effect == "session" else token.made

    def _is_about(self, token: Token) -> bool:
        subject = {"token": token.name, "session": token.session, "user": token.user}
        return self.scope == "everyone" or subject[self.scope] in self.subjects

    @property
    def ends_sessions(self) -> bool:
        return self.scope != "token" and self.effect == "session"


Record = SignIn | Read | Refresh | Revocation
