"""Runs a machine for a number of steps."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.world import RULES, World

EACH = 50
"""Steps from one beginning."""
_MORE = 1.4
"""Some find nothing to act on, and are not counted."""


def run(machine: type[World], steps: float, each: int = EACH, **options: Any) -> Counter[str]:
    """Make so many steps, ``each`` from a new beginning; how many of which rule they were."""
    machine.steps = Counter()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=math.ceil(steps / each * _MORE),
            stateful_step_count=each,
            deadline=None,
            database=None,
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            **options,
        ),
    )
    return machine.steps


def keeping_to(machine: type[World], rules: str) -> type[World]:
    """The machine with these rules alone."""
    others = RULES - set(rules.split())
    left_out = [name for name in dir(machine) if _name_of(getattr(machine, name)) in others]
    return type(machine.__name__, (machine,), dict.fromkeys(left_out))


def _name_of(member: Any) -> str:
    return str(getattr(member, "__name__", ""))
