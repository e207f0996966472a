"""One of the processes of a race: python -m tests.races.worker, driven by lines of JSON."""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django

USER_AGENT = "Racer/1"


def main() -> None:
    django.setup()
    say("up")
    for line in sys.stdin:
        task = json.loads(line)
        start = threading.Barrier(len(task["bodies"]) + 1)
        with ThreadPoolExecutor(len(task["bodies"])) as pool:
            answers = [pool.submit(post, task["path"], body, start) for body in task["bodies"]]
            start.wait()
            say("ready")
            sys.stdin.readline()
            start.wait()
            said = [answer.result() for answer in answers]
        say(said)


def post(path: str, body: Any, start: threading.Barrier) -> Any:
    from django.db import connection, connections
    from rest_framework.test import APIClient

    client = APIClient(raise_request_exception=False, HTTP_USER_AGENT=USER_AGENT)
    connection.ensure_connection()
    start.wait()
    start.wait()
    try:
        response = client.post(path, body)
        return [response.status_code, response.json() if response.content else None]
    finally:
        connections.close_all()


def say(what: Any) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
