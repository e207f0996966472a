"""The clock by which staleness is measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final


def _choose() -> Callable[[], float]:
    # Counts suspend, which CLOCK_MONOTONIC does not: a laptop or a migrated machine that wakes up
    # must not take its copy for fresh. Neither can be stepped.
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic if boot_time is None else partial(time.clock_gettime, boot_time)


clock: Final = _choose()
"""Seconds since some moment of the past; the same in every process of the machine."""
