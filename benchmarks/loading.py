"""A process that loads the log and says what that took: ``memory.py`` starts it.

Alone, since memory that another measurement has let go of would be used again.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Final

import django

from benchmarks.weighing import peak, resident

_AGAIN: Final = 1.0


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
    before, began = resident(), time.monotonic()
    asked = 0.0
    while not contender.state().ready:
        if time.monotonic() - asked > _AGAIN:
            authentication.authenticate(request)
            asked = time.monotonic()
        time.sleep(0.005)
    took = time.monotonic() - began
    print(
        json.dumps(
            {
                "seconds": took,
                "mib": resident() - before,
                "peak_mib": peak() - before,
                "entries": contender.state().entries,
            }
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
