"""Fails where a check costs more than is stored: python -m tests.cost [--record]

Figures differ between minor versions of Python; one without stored figures is shown and not judged.
After a change that is worth its cost, or that saves some: --record, with each Python that has any.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import version
from platform import python_version

from tests.cost import gate
from tests.cost.gate import Stored
from tests.cost.measuring import Measured, measure
from tests.cost.plan import CHECKED, CHECKS, PLAIN, REFERENCE, SLOWED
from tests.services.server import ServiceMissing

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
RECORD = "python -m tests.cost --record"
COLUMNS = "{:<22}{:>13}{:>11}{:>9}{:>13}{:>9}{:>8}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cost", description=__doc__)
    parser.add_argument("--record", action="store_true", help="store what is counted")
    options = parser.parse_args()
    try:
        measured = measure()
    except ServiceMissing as missing:
        print(f"Nothing was counted: {missing}")
        return 1 if options.record or os.environ.get("TEST_REQUIRED") else 0
    stored = gate.read(MINOR)
    show(measured, stored or {})
    faults = gate.leaks(measured.kept, CHECKS)
    faults += gate.blindness(measured.figures[SLOWED], measured.figures[PLAIN])
    if options.record:
        kept = {name: measured.figures[name] for name in (REFERENCE, *CHECKED)}
        gate.write(MINOR, kept)
        print(f"Stored for Python {MINOR}: {gate.FILE}")
    elif stored is None:
        print(f"No figures are stored for Python {MINOR}, so nothing was compared: {RECORD}")
    else:
        faults += compare(measured, stored)
    for fault in faults:
        print(f"FAILED: {fault}")
    return 1 if faults else 0


def compare(measured: Measured, stored: Stored) -> list[str]:
    """What is more than stored; what is less is said."""
    counted = {name: measured.figures[name] for name in CHECKED}
    faults = gate.missing(counted, stored)
    saved: list[str] = []
    for name in counted.keys() & stored.keys():
        faults += gate.excesses(name, counted[name], stored[name])
        saved += gate.savings(name, counted[name], stored[name])
    for saving in saved:
        print(f"Less than stored: {saving}")
    if saved or faults:
        print(f"If that is meant to stay: {RECORD}, with each Python that has figures.")
    return sorted(faults)


def show(measured: Measured, stored: Stored) -> None:
    """Everything, for whoever reads the log."""
    libraries = ("django", "djangorestframework", "pyjwt")
    used = ", ".join(f"{name} {version(name)}" for name in libraries)
    print(f"Python {python_version()}, {used}. Of one call, with the figures stored:\n")
    print(
        COLUMNS.format("", "instructions", "yardsticks", "stored", "allocations", "stored", "kept")
    )
    for name, now in measured.figures.items():
        before = stored.get(name)
        print(
            COLUMNS.format(
                name,
                f"{measured.instructions[name]:,.0f}",
                f"{now.instructions:.3f}",
                f"{before.instructions:.3f}" if before else "",
                f"{now.allocations:.0f}",
                f"{before.allocations:.0f}" if before else "",
                measured.kept.get(name, ""),
            )
        )
    print(f"\nkept: blocks, after {CHECKS:,} checks\n")


if __name__ == "__main__":
    sys.exit(main())
