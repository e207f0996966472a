"""A process that loads the log and says what that took: ``memory.py`` starts it.

Alone, since memory that another measurement has let go of would be used again.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Final

import django

_AGAIN: Final = 1.0
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MIB: Final = 2**20


def main() -> None:
    """One load, by the first check as in any worker."""
    django.setup()
    from django.contrib.auth import get_user_model

    from benchmarks.contenders import CONTENDERS
    from benchmarks.content import request_with

    contender = CONTENDERS[os.environ["BENCH_CONTENDER"]]
    request = request_with(json.loads(sys.stdin.readline()))
    authentication = contender.authentication()
    get_user_model().objects.count()  # the driver and a connection are there already
    gc.collect()
    before, began = _resident(), time.monotonic()
    asked = 0.0
    while not contender.state().ready:
        if time.monotonic() - asked > _AGAIN:
            authentication.authenticate(request)
            asked = time.monotonic()
        time.sleep(0.005)
    took = time.monotonic() - began
    gc.collect()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        json.dumps(
            {
                "seconds": took,
                "mib": (_resident() - before) / _MIB,
                "peak_mib": (peak - before) / _MIB,
                "entries": contender.state().entries,
            }
        ),
        flush=True,
    )


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


if __name__ == "__main__":
    main()
