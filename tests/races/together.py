"""Things that happen at the same moment: threads behind a barrier, processes behind a word."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import OperationalError, connection, connections, transaction

from jwt_revoke import api
from jwt_revoke.exceptions import TokenRevoked, Unavailable
from jwt_revoke.minting import SignedIn

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60
"""Seconds until a race that hangs is a failure."""


def together(*actions: Callable[[], Any]) -> list[Any]:
    """What each action returned or raised; each in a thread of its own, all begun at once."""
    barrier = threading.Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        try:
            # A connection takes longer to open than what races on it.
            connection.ensure_connection()
            barrier.wait(PATIENCE)
            return action()
        except Exception as error:  # noqa: BLE001 - handed back to be judged
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions, timeout=PATIENCE))


def beside_open(change: Callable[[], Any], action: Callable[[], Any]) -> tuple[Any, bool]:
    """What ``action`` gave, begun while the transaction of ``change`` was open; and whether it
    came back before that was committed.

    Whoever waits for a lock can't be seen to do so: it is given the time in which it would have
    come back. A machine too slow for that makes a test of this pass, never fail.
    """
    done = threading.Event()

    def act() -> Any:
        (answer,) = together(action)
        done.set()
        return answer

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            change()
            acted = pool.submit(act)
            overtook = done.wait(1)
        return acted.result(PATIENCE), overtook


def is_busy(answer: Any) -> bool:
    """Whether somebody was told to try again, where the database may ask for that.

    SQLite has one writer at a time. MariaDB with ``innodb_snapshot_isolation`` refuses a
    transaction the row that another one has changed since it began.
    """
    if connection.vendor == "mysql" and os.environ.get("TEST_SNAPSHOT_ISOLATION") == "ON":
        changed = isinstance(answer, OperationalError) and answer.args[0] == 1020
        return changed or isinstance(answer, Unavailable)
    if connection.vendor != "sqlite":
        return False
    return isinstance(answer, Unavailable | OperationalError) or answer == 503


def is_dead(tokens: SignedIn) -> bool:
    """Whether neither token of an answer opens anything."""
    try:
        api.refresh(tokens.refresh)
    except TokenRevoked:
        return api.is_revoked(tokens.access)
    return False


class Pause:
    """Stops the first thread that reaches a step, until ``meanwhile`` has been done.

    ``before`` and ``after`` say on which side of the step it stops. The step itself is the real
    one; retries and other threads go through it unhindered.
    """

    def __init__(self, monkeypatch: Any) -> None:
        self.monkeypatch = monkeypatch
        self.reached, self.resume = threading.Event(), threading.Event()
        self.taken = threading.Lock()

    def before(self, module: Any, name: str) -> Pause:
        real = getattr(module, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            self._stop()
            return real(*args, **kwargs)

        self.monkeypatch.setattr(module, name, step)
        return self

    def after(self, module: Any, name: str) -> Pause:
        real = getattr(module, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            result = real(*args, **kwargs)
            self._stop()
            return result

        self.monkeypatch.setattr(module, name, step)
        return self

    def _stop(self) -> None:
        if self.taken.acquire(blocking=False):
            self.reached.set()
            assert self.resume.wait(PATIENCE)

    def race(self, action: Callable[[], Any], meanwhile: Callable[[], Any]) -> tuple[Any, Any]:
        """``action`` stopped at the step, ``meanwhile`` done from end to end, ``action`` ended."""

        def interfere() -> Any:
            assert self.reached.wait(PATIENCE), "the step was never reached"
            try:
                return meanwhile()
            finally:
                self.resume.set()

        first, second = together(action, interfere)
        return first, second


SETTINGS = "tests.settings"


class Worker:
    """A process of its own, with its own Django, on the database of this test."""

    module = "tests.races.worker"

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module],
            cwd=ROOT,
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def write(self, what: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def read(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0


@contextlib.contextmanager
def workers(count: int, **configured: Any) -> Iterator[Callable[[str, Sequence[Any]], list[Any]]]:
    """``post(path, bodies)`` sends one body per thread, spread over ``count`` processes; each
    answers ``[status, body]``. All threads of all processes begin at one word. ``configured``:
    settings of ours that they have beside those of the suite."""
    with contextlib.ExitStack() as stack:
        ours, theirs = zip(*[socket.socketpair() for _ in range(count)], strict=True)
        descriptors = [end.fileno() for end in theirs]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.races.worker", *map(str, descriptors)],
            cwd=ROOT,
            env=_environment() | {"RACE_SETTINGS": json.dumps(configured)},
            pass_fds=descriptors,
        )
        stack.callback(_end, process)
        for end in theirs:
            end.close()
        crew = [stack.enter_context(Channel(end)) for end in ours]
        for channel in crew:
            assert channel.read() == "up"
        yield partial(_post, crew)


class Channel:
    """To one of the processes of a race, in lines of JSON; it ends when this is closed."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(PATIENCE)
        self._end, self._stream = end, end.makefile("rw")

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stream.close()
        self._end.close()

    def write(self, what: Any) -> None:
        self._stream.write(json.dumps(what) + "\n")
        self._stream.flush()

    def read(self) -> Any:
        return json.loads(self._stream.readline())


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.wait(PATIENCE) == 0


def _post(crew: list[Channel], path: str, bodies: Sequence[Any]) -> list[Any]:
    shares = [bodies[at :: len(crew)] for at in range(len(crew))]
    for channel, share in zip(crew, shares, strict=True):
        channel.write({"path": path, "bodies": share})
    for channel in crew:
        assert channel.read() == "ready"
    for channel in crew:
        channel.write("go")
    return [answer for channel in crew for answer in channel.read()]


def _environment() -> dict[str, str]:
    return {**os.environ, "DATABASE_URL": _address(), "DJANGO_SETTINGS_MODULE": SETTINGS}


def _address() -> str:
    name = str(connection.settings_dict["NAME"])
    url = urlsplit(os.environ["DATABASE_URL"])
    return (
        f"sqlite:///{name}" if connection.vendor == "sqlite" else url._replace(path=name).geturl()
    )
