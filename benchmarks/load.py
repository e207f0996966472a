"""A process that makes load. Told what by a line of JSON, it answers with one.

Threads: each has a connection and asks again as soon as it is answered, or after a pause. It ends
after ``seconds``, or when it is told so by another line.
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
from benchmarks.figures import percentile


@dataclass(frozen=True)
class Load:
    """``headers``: pairs of a label and an ``Authorization``, asked with in turn."""

    port: int
    path: str
    headers: list[tuple[str, str]]
    connections: int
    workers: int
    keep_alive: bool
    warm: float = 0.0
    seconds: float | None = None
    pause: float = 0.0


@dataclass
class Tally:
    """What one thread has seen."""

    answers: Counter[tuple[str, str]] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)


def main() -> None:
    """One load."""
    load = Load(**json.loads(sys.stdin.readline()))
    connections: list[Connection | None] = [None] * load.connections
    if load.keep_alive:
        each = load.connections // load.workers
        held = spread_connections(load.port, load.headers[0][1], load.workers, each)
        connections = [one for made in held.values() for one in made]
    stop, tallies = threading.Event(), [Tally() for _ in connections]
    start = time.monotonic() + load.warm
    threads = [
        threading.Thread(target=_ask, args=(load, position, connection, tally, start, stop))
        for position, (connection, tally) in enumerate(zip(connections, tallies, strict=True))
    ]
    for thread in threads:
        thread.start()
    if load.seconds is None:
        print(flush=True)  # it has begun
        sys.stdin.readline()
    else:
        time.sleep(load.warm + load.seconds)
    stop.set()
    took = time.monotonic() - start
    for thread in threads:
        thread.join()
    print(json.dumps(_summed(tallies, took)), flush=True)


def _ask(
    load: Load,
    position: int,
    connection: Connection | None,
    tally: Tally,
    start: float,
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
        ended = time.monotonic()
        # What is still under way at the end is not counted, nor what the warm-up began.
        if began >= start and not stop.is_set():
            tally.answers[label, answer] += 1
            tally.times.append(ended - began)
        if load.pause:
            time.sleep(load.pause)


def _summed(tallies: list[Tally], took: float) -> dict[str, Any]:
    answers: Counter[tuple[str, str]] = sum((tally.answers for tally in tallies), Counter())
    times = [one for tally in tallies for one in tally.times]
    return {
        "seconds": took,
        "answers": [[label, answer, count] for (label, answer), count in answers.items()],
        "requests": len(times),
        "p50": percentile(times, 0.5) if times else None,
        "p99": percentile(times, 0.99) if times else None,
        "max": max(times, default=None),
    }


if __name__ == "__main__":
    main()
