"""A process that makes a contender's tables and signs every user in: ``content.py`` starts it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

import django


def main() -> None:
    """Its answer: the credentials."""
    django.setup()
    from django.core.management import call_command

    from benchmarks.contenders import CONTENDERS
    from benchmarks.content import credentials

    contender = CONTENDERS[os.environ["BENCH_CONTENDER"]]
    call_command("migrate", verbosity=0)
    found = credentials(contender)
    print(json.dumps([asdict(credential) for credential in found]), flush=True)


if __name__ == "__main__":
    main()
