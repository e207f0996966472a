"""How much of everything one run does."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from benchmarks.contenders import Contender
from benchmarks.quiet import Quiet


class Disturbed(Exception):
    """What was measured is not what it is called; no number is printed for it."""


@dataclass(frozen=True)
class Plan:
    """The whole run: under 15 minutes on two cores."""

    contenders: list[Contender]
    rounds: int | None = None
    """In place of each part's own number."""
    random: random.Random = field(default_factory=random.Random)
    quiet: Quiet = field(default_factory=partial(Quiet, 180))

    users: int = 50
    """Signed in, and asked for in turn."""
    log: int = 10_000
    """Live revocations that there are from the start."""

    check_rounds: int = 7
    check_seconds: float = 0.6
    first_sights: int = 1500

    rotation_rounds: int = 3
    rotation_seconds: float = 1.0
    """Before it, and after each of its steps."""
    rotation_tokens: int = 1000

    http_rounds: int = 3
    http_workers: int = 2
    http_connections: int = 8
    http_seconds: float = 1.6

    refusal_rounds: int = 3
    refusal_workers: int = 4
    revocations: int = 34
    """In each round."""

    dashboard_rounds: int = 7
    dashboard_sessions: int = 1_000_000
    dashboard_log: int = 200_000

    memory_rounds: int = 3
    memory_sizes: tuple[int, ...] = (100_000, 1_000_000)
    restart_workers: int = 4

    def of(self, part: str) -> list[Contender]:
        """Those that take part, in random order."""
        chosen = [contender for contender in self.contenders if part in contender.parts]
        self.random.shuffle(chosen)
        return chosen

    def listed(self, part: str) -> list[Contender]:
        """The same in the order in which they are printed."""
        return [contender for contender in self.contenders if part in contender.parts]


QUICK: Final[Mapping[str, Any]] = {
    "log": 1000,
    "users": 10,
    "check_rounds": 2,
    "check_seconds": 0.1,
    "first_sights": 100,
    "rotation_rounds": 1,
    "rotation_seconds": 0.2,
    "http_rounds": 1,
    "http_seconds": 0.3,
    "refusal_rounds": 1,
    "revocations": 4,
    "dashboard_rounds": 1,
    "dashboard_sessions": 20_000,
    "dashboard_log": 4_000,
    "memory_rounds": 1,
    "memory_sizes": (2_000, 20_000),
}
"""That it works at all, in about a minute. Its numbers mean nothing."""

QUICK_CONTENDERS: Final = ("database", "replica, database log, 0 ms", "replica, Redis, 250 ms")
