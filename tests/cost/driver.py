"""The process that is counted: python -m tests.cost.driver (instructions | blocks)

instructions  under callgrind, which writes down what it is told
blocks        without; prints as JSON: case → blocks kept
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.cost.plan import CHECKED, CHECKS, FEW, MANY, WARM_UP


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    if sys.argv[1:] == ["instructions"]:
        count_instructions()
    else:
        print(json.dumps(count_blocks()))


def count_instructions() -> None:
    from tests.cost.callgrind import Counter
    from tests.cost.cases import CASES

    counter = Counter()
    for name, case in CASES.items():
        with case() as counted:
            arguments = itertools.cycle(counted.arguments)
            repeat(counted.call, arguments, WARM_UP)
            for times in (FEW, MANY):
                with undisturbed():
                    counter.start()
                    repeat(counted.call, arguments, times)
                    counter.stop(f"{name}: {times}")


def count_blocks() -> dict[str, int]:
    from tests.cost.cases import CASES

    kept = {}
    for name in CHECKED:
        with CASES[name]() as counted:
            arguments = itertools.cycle(counted.arguments)
            # Free lists fill up, and reading JSON takes its time to settle.
            repeat(counted.call, arguments, CHECKS // 10)
            gc.collect()
            before = sys.getallocatedblocks()
            repeat(counted.call, arguments, CHECKS)
            gc.collect()
            kept[name] = sys.getallocatedblocks() - before
    return kept


def repeat(call: Callable[[Any], object], arguments: Iterable[Any], times: int) -> None:
    for argument in itertools.islice(arguments, times):
        call(argument)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Python's collector would come within one go, and not within the other."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


if __name__ == "__main__":
    main()
