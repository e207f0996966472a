"""Whether others use the machine while something is measured; if so it is measured again.

By what they took of its processors, and never by what came out.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")

LIMIT: Final = 0.1
"""Of all processors together; the kernel's own work, which is nobody's, is some percents of it."""
_ATTEMPTS: Final = 3
_TICK: Final = os.sysconf("SC_CLK_TCK")
_CORES: Final = os.cpu_count() or 1


class _Reading(NamedTuple):
    at: float
    machine: float
    ours: float


class Quiet:
    """``patience``: seconds that the whole run may spend on waiting for others to be done.

    ``repeated``: what others took during each measurement that was thrown away; ``noisy``: during
    those that were kept, since there was no quiet to be had.
    """

    def __init__(self, patience: float) -> None:
        self.repeated: list[float] = []
        self.noisy: list[float] = []
        self._patience = patience

    def alone(self, measure: Callable[[], T]) -> T:
        """``measure()``, again when others were busy too, after a wait until they are not.

        A process of ours that it ends has to be waited for by its parent, or its time seems
        others'.
        """
        attempt = 1
        while True:
            before = _read()
            found = measure()
            taken = _by_others(before, _read())
            if taken <= LIMIT:
                return found
            if attempt == _ATTEMPTS or self._patience <= 0:
                self.noisy.append(taken)
                return found
            self.repeated.append(taken)
            self._wait()
            attempt += 1

    def _wait(self) -> None:
        began = time.monotonic()
        while time.monotonic() < began + self._patience:
            before = _read()
            time.sleep(1)
            if _by_others(before, _read()) <= LIMIT / 2:
                break
        self._patience -= time.monotonic() - began


def _by_others(before: _Reading, after: _Reading) -> float:
    machine, ours = after.machine - before.machine, after.ours - before.ours
    return max(0.0, machine - ours) / ((after.at - before.at) * _CORES)


def _read() -> _Reading:
    return _Reading(time.monotonic(), _machine(), _ours())


def _machine() -> float:
    """Seconds that the processors worked, or were withheld by the host."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / _TICK


def _ours() -> float:
    """Seconds of this process and all below it, those included that have ended."""
    return sum(seconds for _pid, seconds in _below(os.getpid()))


def processor_seconds(pid: int) -> float:
    """What the processors have worked for that process and all below it that run, to the
    microsecond."""
    # As clock_getcpuclockid(3) makes it of the number of a process.
    return sum(time.clock_gettime((~one << 3) | 2) for one, _ in _below(pid))


def _below(root: int) -> Iterator[tuple[int, float]]:
    """That process and all below it, each with its seconds and those of its children that ended."""
    children: dict[int, list[int]] = defaultdict(list)
    seconds: dict[int, float] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        pid = int(folder.name)
        children[int(fields[1])].append(pid)
        seconds[pid] = sum(map(int, fields[11:15])) / _TICK
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid, seconds.get(pid, 0.0)
        waiting += children[pid]
