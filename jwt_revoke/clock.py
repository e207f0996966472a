"""The clock by which staleness is measured; and time stamps as the site keeps them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final

from django.utils import timezone


def _choose() -> Callable[[], float]:
    # Counts suspend, which CLOCK_MONOTONIC does not: a laptop or a migrated machine that wakes up
    # must not take its copy for fresh. Neither can be stepped.
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic if boot_time is None else partial(time.clock_gettime, boot_time)


clock: Final = _choose()
"""Seconds since some moment of the past; the same in every process of the machine."""


def moment(seconds: float) -> datetime:
    """Seconds since 1970 as a time stamp that Django stores, whatever ``USE_TZ`` says."""
    found = datetime.fromtimestamp(seconds, tz=timezone.get_default_timezone())
    return found if timezone.is_aware(timezone.now()) else timezone.make_naive(found)


def shown(moment: datetime) -> str:
    """A time stamp as an operator reads it: in the site's time zone, to the second."""
    local = timezone.localtime(moment) if timezone.is_aware(moment) else moment
    return local.isoformat(" ", "seconds")
