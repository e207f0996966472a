"""What is too much: counted figures beside stored ones."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).with_name("figures.json")
TOLERANCE = 0.10
A_FEW_ALLOCATIONS = 2.0
"""Let pass whatever part of the whole they are: a free list that is full once counts for one."""
KEPT_FOR_EACH_CHECK = 0.1
"""Blocks. What leaks, leaks one or more; what settles is a few hundred in ten thousand checks."""


@dataclass(frozen=True)
class Figures:
    """Of one check; ``instructions`` in yardsticks."""

    instructions: float
    allocations: float


Stored = Mapping[str, Figures]


def excesses(name: str, counted: Figures, stored: Figures) -> list[str]:
    """What is more than was stored and the tolerance allow."""
    return [
        f"{name}: {_compared(what, now, before)}"
        for what, now, before, spare in _pairs(counted, stored)
        if now > before * (1 + TOLERANCE) + spare
    ]


def savings(name: str, counted: Figures, stored: Figures) -> list[str]:
    """What is so much less that a later rise up to the stored figure would go unnoticed."""
    return [
        f"{name}: {_compared(what, now, before)}"
        for what, now, before, spare in _pairs(counted, stored)
        if now < before * (1 - TOLERANCE) - spare
    ]


def leaks(kept: Mapping[str, int], checks: int) -> list[str]:
    """What keeps a part of each check's memory."""
    return [
        f"{name}: {blocks:,} blocks are kept after {checks:,} checks"
        for name, blocks in kept.items()
        if blocks > KEPT_FOR_EACH_CHECK * checks
    ]


def blindness(slowed: Figures, plain: Figures) -> list[str]:
    """Whether a check that was slowed on purpose, in the same run, would have passed."""
    if any("instructions" in excess for excess in excesses("slowed", slowed, plain)):
        return []
    return ["a check that reads a JSON document too many would have passed: the gate sees nothing"]


def missing(counted: Iterable[str], stored: Iterable[str]) -> list[str]:
    """Cases that have no stored figure."""
    return [f"{name}: no figure is stored" for name in counted if name not in set(stored)]


def read(version: str, file: Path = FILE) -> Stored | None:
    """The figures stored for a minor version of Python; ``None`` = there are none."""
    stored = _all(file).get(version)
    return None if stored is None else {name: Figures(**one) for name, one in stored.items()}


def write(version: str, figures: Stored, file: Path = FILE) -> None:
    """Store figures for that version, and leave those of the others."""
    everything = _all(file)
    everything[version] = {name: asdict(one) for name, one in figures.items()}
    file.write_text(json.dumps(dict(sorted(everything.items())), indent=2) + "\n")


def _all(file: Path) -> dict[str, dict[str, dict[str, float]]]:
    return json.loads(file.read_text()) if file.exists() else {}


def _pairs(counted: Figures, stored: Figures) -> list[tuple[str, float, float, float]]:
    return [
        ("instructions", counted.instructions, stored.instructions, 0.0),
        ("allocations", counted.allocations, stored.allocations, A_FEW_ALLOCATIONS),
    ]


def _compared(what: str, now: float, before: float) -> str:
    figures = f"{now:.0f}, stored {before:.0f}"
    if what == "instructions":
        figures = f"{now:.3f} yardsticks, stored {before:.3f}"
    change = f" ({now / before - 1:+.1%})" if before else ""
    return f"{what} {figures}{change}"
