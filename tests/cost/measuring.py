"""Runs the driver, and makes figures of one check out of what it counted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.cost import callgrind
from tests.cost.gate import Figures
from tests.cost.plan import CHECKED, FEW, MANY, REFERENCE, SLOWED, UNIT

ROOT = Path(__file__).resolve().parents[2]
DRIVER = [sys.executable, "-m", "tests.cost.driver"]
ENDS_WITHIN = 120
# A PYTHON… of the developer's, or a DATABASE_URL, is none of its business.
HANDED_ON = {"HOME", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR"}
COUNTED = {"PYTHONHASHSEED": "0", "PYTHONMALLOC": "malloc"}
"""Python's own allocators count nothing, and may be inlined where they are called."""


@dataclass(frozen=True)
class Measured:
    """``instructions``: of one call, as they are; ``kept``: blocks."""

    instructions: Mapping[str, float]
    figures: Mapping[str, Figures]
    kept: Mapping[str, int]


def measure() -> Measured:
    """Count everything. Raises ``ServiceMissing``."""
    with ThreadPoolExecutor() as pool:
        kept = pool.submit(_blocks)
        counts = _counts()
        calls = {name: _of_one_call(name, counts) for name in (UNIT, REFERENCE, *CHECKED, SLOWED)}
        yardstick = calls[UNIT].instructions
        figures = {
            name: Figures(round(call.instructions / yardstick, 3), round(call.allocations, 1))
            for name, call in calls.items()
        }
        instructions = {name: call.instructions for name, call in calls.items()}
        return Measured(instructions, figures, kept.result())


def _counts() -> dict[str, callgrind.Counts]:
    with tempfile.TemporaryDirectory(prefix="jwt-revoke-cost-") as folder:
        command, environment = [*DRIVER, "instructions"], _environment() | COUNTED
        return callgrind.run(command, environment, ROOT, Path(folder))


def _blocks() -> dict[str, int]:
    done = subprocess.run(
        [*DRIVER, "blocks"],
        cwd=ROOT,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=ENDS_WITHIN,
        check=True,
    )
    kept: dict[str, int] = json.loads(done.stdout)
    return kept


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in HANDED_ON}


def _of_one_call(name: str, counts: Mapping[str, callgrind.Counts]) -> Figures:
    few, many = counts[f"{name}: {FEW}"], counts[f"{name}: {MANY}"]
    times = MANY - FEW
    return Figures(
        (many.instructions - few.instructions) / times,
        (many.allocations - few.allocations) / times,
    )
