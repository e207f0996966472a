"""What a process remembers of the log: who is below which floor, what is dead.

Readers take no lock: each look-up is one step of a dict, and a dict that is tidied is replaced.
Applying an entry twice, or in another order, comes out the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from ...claims import Claims
from ...exceptions import TokenRevoked, TokenStale
from ...models import (
    EFFECT_SESSION,
    SCOPE_SESSION,
    SCOPE_TOKEN,
    SCOPE_USER,
)

CLOCK_SKEW: Final = 600
"""Seconds by which the clocks of the machines may differ, both ways together: what a writer dates
too early is kept as long as the tokens that it covers may live by ours."""

NEVER: Final = float("-inf")
_FIRST_TIDY: Final = 10_000
_TIDY_EVERY: Final = 900

Loaded = tuple[str, str, str, int | None, int, int]
"""Scope, subject, effect, version, when it expires (seconds since 1970), and its id."""


class ReplicaState:
    """The live revocations, by what a token is looked up by."""

    def __init__(self) -> None:
        self.synced = NEVER
        """When the last read of the log that is in here began (``clock``)."""
        self.generation = 0
        self.generation_floor = 0
        self.users: dict[str, tuple[int, int, int]] = {}
        """User's key as text → version floor, session floor, when the entry may be forgotten."""
        self.sessions: dict[int, int] = {}
        """``sid`` as a number (it hashes faster than a UUID) → when it may be forgotten."""
        self.tokens: dict[str, int] = {}
        """``jti`` → when it may be forgotten."""
        self.tidied()

    def __len__(self) -> int:
        return len(self.users) + len(self.sessions) + len(self.tokens)

    def judge(self, claims: Claims, user: str) -> None:
        """Let the token of that user pass, or raise ``TokenRevoked`` or ``TokenStale``.

        It knows what was revoked and nothing else: no expiry of a session (the token's own is
        never later), no account, no change that no revocation was written for.
        """
        if claims.sid.int in self.sessions:
            raise TokenRevoked("session ended")
        if claims.gen < self.generation:
            if claims.gen < self.generation_floor:
                raise TokenRevoked("session opened before everyone's floor")
            raise TokenStale("generation superseded")
        floors = self.users.get(user)
        if floors is not None and claims.ver < floors[0]:
            # A session is never younger than the version of its tokens.
            if claims.ver < floors[1]:
                raise TokenRevoked("session opened before the user's floor")
            raise TokenStale("version superseded")
        if claims.jti in self.tokens:
            raise TokenStale("token revoked by its jti")

    def apply(
        self, scope: str, subject: str, effect: str, version: int | None, expires: int
    ) -> None:
        """Take one entry of the log in. ``expires``: seconds since 1970."""
        expires += CLOCK_SKEW
        if scope == SCOPE_SESSION:
            self.sessions[int(subject.replace("-", ""), 16)] = expires
        elif scope == SCOPE_USER:
            floor = version or 0
            ended = floor if effect == EFFECT_SESSION else 0
            known = self.users.get(subject)
            if known is not None:
                floor, ended = max(floor, known[0]), max(ended, known[1])
                expires = max(expires, known[2])
            self.users[subject] = (floor, ended, expires)
        elif scope == SCOPE_TOKEN:
            self.tokens[subject] = expires
        else:  # everyone: two numbers for all, never forgotten
            raised = version or 0
            self.raise_generation(raised, raised if effect == EFFECT_SESSION else 0)

    def raise_generation(self, generation: int, floor: int) -> None:
        """Everybody's tokens must be of that generation, and their sessions above that floor."""
        self.generation = max(self.generation, generation)
        self.generation_floor = max(self.generation_floor, floor)

    def load(self, entries: Iterable[Loaded]) -> None:
        """``apply`` for many, without the cost of a call for each."""
        users, sessions = self.users, self.sessions
        for scope, subject, effect, version, expires, _id in entries:
            if scope == SCOPE_SESSION:
                sessions[int(subject.replace("-", ""), 16)] = expires + CLOCK_SKEW
            elif scope == SCOPE_USER and version and subject not in users:
                ended = version if effect == EFFECT_SESSION else 0
                users[subject] = (version, ended, expires + CLOCK_SKEW)
            else:
                self.apply(scope, subject, effect, version, expires)

    def tidy(self) -> None:
        """Forget what covers no living token any more, where there is much to remember.

        A pass over everything, each time the number has doubled, which is a constant cost for each
        entry; and every quarter of an hour, or a burst would be remembered until the next one.
        """
        if len(self) < _FIRST_TIDY:
            return
        now = time.time()
        if len(self) < self._tidy_at and now < self._tidy_after:
            return
        self.users = {key: value for key, value in self.users.items() if value[2] > now}
        self.sessions = {key: value for key, value in self.sessions.items() if value > now}
        self.tokens = {key: value for key, value in self.tokens.items() if value > now}
        self.tidied()

    def tidied(self) -> None:
        """All of it is in force now."""
        self._tidy_at = max(_FIRST_TIDY, 2 * len(self))
        self._tidy_after = time.time() + _TIDY_EVERY
