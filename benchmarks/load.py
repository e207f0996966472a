"""A process that makes load. Told what by a line of JSON, and by another for how many seconds, it
answers with one; and so again. Told ``null`` it says by an empty line that it has begun, and ends
when it is told so by another.

Threads: each has a connection and asks again as soon as it is answered, or after a pause.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.client import Connection, ask_once, request_bytes, spread_connections


@dataclass(frozen=True)
class Load:
    """``headers``: pairs of a label and an ``Authorization``, asked with in turn."""

    port: int
    path: str
    headers: list[tuple[str, str]]
    connections: int
    workers: int
    keep_alive: bool
    pause: float = 0.0


@dataclass
class Tally:
    """What one thread has seen."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)


def main() -> None:
    """One load, as often as it is told how long."""
    load = Load(**json.loads(sys.stdin.readline()))
    connections: list[Connection | None] = [None] * load.connections
    if load.keep_alive:
        each = load.connections // load.workers
        held = spread_connections(load.port, load.headers[0][1], load.workers, each)
        connections = [one for made in held.values() for one in made]
    while line := sys.stdin.readline():
        print(json.dumps(_burst(load, connections, json.loads(line))), flush=True)


def _burst(
    load: Load, connections: list[Connection | None], seconds: float | None
) -> dict[str, Any]:
    stop, tallies = threading.Event(), [Tally() for _ in connections]
    threads = [
        threading.Thread(target=_ask, args=(load, position, connection, tally, stop))
        for position, (connection, tally) in enumerate(zip(connections, tallies, strict=True))
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    if seconds is None:
        print(flush=True)
        sys.stdin.readline()
    else:
        time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return _summed(tallies, time.monotonic() - began)


def _ask(
    load: Load,
    position: int,
    connection: Connection | None,
    tally: Tally,
    stop: threading.Event,
) -> None:
    requests = [
        (label, request_bytes(load.path, header, keep_alive=load.keep_alive))
        for label, header in load.headers
    ]
    turn = position
    while not stop.is_set():
        label, request = requests[turn % len(requests)]
        turn += 1
        began = time.monotonic()
        try:
            if connection is None:
                status, _body = ask_once(load.port, request)
            else:
                status, _body = connection.ask(request)
        except (OSError, ValueError) as error:
            if connection is not None:
                raise
            answer = type(error).__name__
        else:
            answer = str(status)
        tally.answers[label, answer] += 1
        tally.times.append(time.monotonic() - began)
        if load.pause:
            time.sleep(load.pause)


def _summed(tallies: list[Tally], took: float) -> dict[str, Any]:
    answers: Counter[tuple[str, str]] = sum((tally.answers for tally in tallies), Counter())
    return {
        "seconds": took,
        "answers": [[label, answer, count] for (label, answer), count in answers.items()],
        "times": [one for tally in tallies for one in tally.times],
    }


if __name__ == "__main__":
    main()
