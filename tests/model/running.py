"""Runs a machine for a number of steps."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.world import World

EACH = 50
"""Steps from one beginning."""
_MORE = 1.3
"""Some find nothing to act on, and are not counted."""


def run(machine: type[World], steps: float, **options: Any) -> Counter[str]:
    """Make so many steps, from a new world every ``EACH``; how many of which rule they were."""
    machine.steps = Counter()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=math.ceil(steps / EACH * _MORE),
            stateful_step_count=EACH,
            deadline=None,
            database=None,
            print_blob=False,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
            **options,
        ),
    )
    return machine.steps
