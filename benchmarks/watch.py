"""A process that watches each worker go from letting a token in to refusing it.

It is told where by a line of JSON, and then a token a line. It says when every worker has let that
one in, and, once every worker has refused it, when each did: by the clock that all processes of
the machine share.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.client import Connection, request_bytes, spread_connections

PAUSE: Final = 0.001
"""Seconds that each connection rests between two questions: its workers share two cores."""


@dataclass(frozen=True)
class Watch:
    """Where. ``header``: a live one, by which the workers are found; ``patience``: seconds."""

    port: int
    path: str
    header: str
    workers: int
    patience: float


class Watcher:
    """One worker's connection, for one token."""

    def __init__(self, pid: int, connection: Connection, request: bytes) -> None:
        self.pid = pid
        self.accepted: float | None = None
        """When the last request that was let in began."""
        self.refused: float | None = None
        """When the first refusal had come."""
        self.problem = ""
        self.live, self.done = threading.Event(), threading.Event()
        self._connection, self._request = connection, request
        self._given_up = False
        threading.Thread(target=self._run, daemon=True).start()

    def give_up(self) -> None:
        """Ask no more."""
        self._given_up = True

    def _run(self) -> None:
        while not self._given_up:
            began = time.monotonic()
            status, _body = self._connection.ask(self._request)
            ended = time.monotonic()
            if status == 200:
                self.accepted = began
                self.live.set()
            else:
                if status != 401:
                    self.problem = f"worker {self.pid} answered {status}"
                self.refused = ended
                break
            time.sleep(PAUSE)
        self.live.set()
        self.done.set()

    def found(self) -> dict[str, Any]:
        """For the line."""
        return {
            "pid": self.pid,
            "accepted": self.accepted,
            "refused": self.refused,
            "problem": self.problem,
        }


def main() -> None:
    """Until standard input ends."""
    watch = Watch(**json.loads(sys.stdin.readline()))
    held = spread_connections(watch.port, watch.header, watch.workers, 1)
    print(json.dumps(sorted(held)), flush=True)
    for line in sys.stdin:
        request = request_bytes(watch.path, json.loads(line))
        watchers = [Watcher(pid, connections[0], request) for pid, connections in held.items()]
        for watcher in watchers:
            watcher.live.wait()
        print(flush=True)
        deadline = time.monotonic() + watch.patience
        for watcher in watchers:
            watcher.done.wait(max(0.0, deadline - time.monotonic()))
            watcher.give_up()
        for watcher in watchers:
            watcher.done.wait()
        print(json.dumps([watcher.found() for watcher in watchers]), flush=True)


if __name__ == "__main__":
    main()
