"""The processes of a race: python -m tests.races.worker DESCRIPTOR…

It loads Django once and then forks for each descriptor, as a server that preloads its workers does:
to import Django four times would cost more than the race. A process is driven by lines of JSON on
its socket, and ends when that is closed.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

import django
from django.conf import settings

USER_AGENT = "Racer/1"


def main() -> None:
    django.setup()
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, **json.loads(os.environ["RACE_SETTINGS"])}
    # What every child would import by itself, in its first request.
    import_module("tests.urls")
    import_module("rest_framework.test")
    children = []
    for descriptor in map(int, sys.argv[1:]):
        if (child := os.fork()) == 0:
            serve(socket.socket(fileno=descriptor))
            return
        children.append(child)
        os.close(descriptor)
    failed = [child for child in children if os.waitpid(child, 0)[1]]
    sys.exit(1 if failed else 0)


def serve(channel: socket.socket) -> None:
    stream = channel.makefile("rw")

    def say(what: Any) -> None:
        stream.write(json.dumps(what) + "\n")
        stream.flush()

    say("up")
    for line in stream:
        task = json.loads(line)
        start = threading.Barrier(len(task["bodies"]) + 1)
        with ThreadPoolExecutor(len(task["bodies"])) as pool:
            answers = [pool.submit(post, task["path"], body, start) for body in task["bodies"]]
            start.wait()
            say("ready")
            stream.readline()
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


if __name__ == "__main__":
    main()
