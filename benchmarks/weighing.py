"""What a process weighs, by the kernel's account of it; in MiB."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Final

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MIB: Final = 2**20


def resident() -> float:
    """This process, now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / _MIB


def peak() -> float:
    """The most it ever was.

    ``getrusage`` would not do: what it says goes on over exec(), so that a process that was
    started by a larger one seems as large.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024
