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
    """The whole run. How long each part took is said at its end."""

    contenders: list[Contender]
    rounds: int | None = None
    """In place of each part's own number."""
    random: random.Random = field(default_factory=random.Random)
    quiet: Quiet = field(default_factory=partial(Quiet, 180))

    users: int = 50
    """Signed in, and asked for in turn."""
    log: int = 10_000
    """Live revocations that there are from the start."""

    check_rounds: int = 5
    check_seconds: float = 0.4
    first_sights: int = 1500

    rotation_rounds: int = 3
    rotation_seconds: float = 1.0
    """Before it, and after each of its steps."""
    rotation_tokens: int = 1000

    http_rounds: int = 3
    http_connections: int = 8
    http_bursts: int = 12

    refusal_rounds: int = 3
    refusal_workers: int = 4
    revocations: int = 34
    """In each round."""

    writes_rounds: int = 3
    writes_times: int = 20
    """In each round; of what is large fewer."""
    writes_refreshes: int = 1000
    """Of one session."""
    writes_sessions: tuple[int, ...] = (1, 10, 1000)
    """Of the user who is logged out everywhere."""
    writes_users: tuple[int, ...] = (1, 1000, 100_000)
    """Whose role changes."""

    growth_sessions: int = 1_000_000
    growth_refreshes: int = 1_000_000
    growth_times: int = 200

    footprint_rounds: int = 11
    footprint_requests: int = 1000

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
    "http_bursts": 2,
    "refusal_rounds": 1,
    "revocations": 4,
    "writes_rounds": 1,
    "writes_times": 5,
    "writes_refreshes": 50,
    "writes_sessions": (1, 10, 50),
    "writes_users": (1, 100, 1000),
    "growth_sessions": 10_000,
    "growth_refreshes": 50_000,
    "growth_times": 10,
    "footprint_rounds": 2,
    "footprint_requests": 50,
    "dashboard_rounds": 1,
    "dashboard_sessions": 20_000,
    "dashboard_log": 4_000,
    "memory_rounds": 1,
    "memory_sizes": (2_000, 20_000),
}
"""That it works at all, in about three minutes. Its numbers mean nothing."""

QUICK_CONTENDERS: Final = (
    "database",
    "replica, database log, 0 ms",
    "replica, database log, 250 ms",
    "replica, Redis, 0 ms",
    "simplejwt stateless",
    "simplejwt default",
)
