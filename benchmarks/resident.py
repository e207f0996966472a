"""A process that answers requests as one contender's site and says what it weighs:
``footprint.py`` starts it."""

from __future__ import annotations

import itertools
import json
import os
import sys
from typing import Any, Final

import django

from benchmarks.weighing import resident

_PATH: Final = "/api/ping/"


def main() -> None:
    """Told credentials and a number of requests, it answers with MiB before and after them."""
    django.setup()
    from django.test import Client

    from benchmarks.contenders import CONTENDERS, Credential
    from benchmarks.content import make_ready

    given, count = json.loads(sys.stdin.readline())
    credentials = [Credential(**fields) for fields in given]
    contender = CONTENDERS[os.environ["BENCH_CONTENDER"]]
    make_ready(contender, credentials[0].header)
    client = Client(SERVER_NAME="localhost")
    _ask(client, credentials[0].header)  # what is imported by the first
    before = resident()
    each = -(-count // len(credentials))
    for credential in credentials:
        # As many tokens as there are, or the same again where it has but one.
        headers = contender.again(credential, each) or itertools.repeat(credential.header, each)
        for header in headers:
            _ask(client, header)
    print(json.dumps({"before": before, "after": resident()}), flush=True)


def _ask(client: Any, line: str) -> None:
    name, _, value = line.rpartition(": ")
    response = client.get(_PATH, headers={name or "Authorization": value})
    assert response.status_code == 200, response.status_code


if __name__ == "__main__":
    main()
