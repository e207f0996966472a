"""A call, timed again and again in one thread; and beside it how quick the machine is just then.

The processors of a rented machine may be half as quick a minute later, or one than the other.
"""

from __future__ import annotations

import gc
import itertools
import secrets
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import jwt

from benchmarks.figures import percentile

Call = Callable[[Any], object]


def timed(call: Call, arguments: Iterable[Any], seconds: float) -> list[float]:
    """Nanoseconds of each call, until the time is up or the arguments are.

    What it takes to make an argument is not in them, nor to let go of what the call returned.
    """
    clock = time.perf_counter_ns
    taken: list[float] = []
    end = clock() + int(seconds * 1e9)
    for argument in arguments:
        began = clock()
        found = call(argument)
        ended = clock()
        del found
        taken.append(ended - began)
        if ended > end:
            break
    return taken


_SLICE: Final = 0.02
_BESIDE: Final = 0.005
_KEY: Final = secrets.token_bytes(64)
_TOKEN: Final = jwt.encode({"sub": "1", "jti": "x" * 36, "sid": "y" * 36, "exp": 1 << 40}, _KEY)


def timed_beside(call: Call, arguments: Iterable[Any], seconds: float) -> dict[str, float]:
    """Its ``summary``, with ``decodes``: how often PyJWT decodes a token in the time of one call.

    In turns of milliseconds: by the median of those turns it is told how quick the machine was.
    """
    gc.collect()
    left = iter(arguments)
    taken: list[float] = []
    decodes: list[float] = []
    before = decoding(_BESIDE)
    while sum(taken) < seconds * 1e9:
        part = timed(call, left, _SLICE)
        if not part:
            break
        after = decoding(_BESIDE)
        decodes.append(summary(part)["p50"] / statistics.fmean((before, after)))
        taken += part
        before = after
    return {**summary(taken), "decodes": statistics.median(decodes)}


def decoding(seconds: float) -> float:
    """How quick this processor is now: microseconds (p50) for PyJWT's decode of one token."""

    def decode(_: None) -> object:
        return jwt.decode(_TOKEN, _KEY, algorithms=["HS256"])

    return summary(timed(decode, itertools.repeat(None), seconds))["p50"]


def summary(taken: list[float]) -> dict[str, float]:
    """Of those nanoseconds, in microseconds."""
    return {
        "p50": percentile(taken, 0.5) / 1000,
        "p99": percentile(taken, 0.99) / 1000,
        "mean": statistics.fmean(taken) / 1000,
        "checks": len(taken),
    }
