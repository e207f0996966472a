"""A site at work: processes that sign in, revoke and ask, while a test does something to it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.faults import totals
from tests.faults.board import Board, Notice, Rush
from tests.faults.intervals import Findings, examine
from tests.faults.records import Record
from tests.faults.site import GRACE, Site

ROOT: Final = Path(__file__).resolve().parents[2]
SECONDS: Final = 20.0
"""How long the processes work, the fault included."""
LIMIT: Final = 5.0
"""The longest an answer may take while something hangs: two seconds to connect to the database, a
fraction for Redis, one for a revocation that Redis did not hear of, and what a busy machine adds.
Each freeze that is to show a wait without a bound lasts longer."""
WRITERS: Final = 4
READERS: Final = 4
USERS_EACH: Final = 6
PATIENCE: Final = 60.0


class Process:
    """One worker, driven by lines of JSON."""

    def __init__(self, name: str, channel: socket.socket, log: Path) -> None:
        self.name, self.log = name, log
        channel.settimeout(PATIENCE)
        self._channel, self._stream = channel, channel.makefile("rw")
        self._pid = self.hear()

    def tell(self, order: dict[str, Any]) -> None:
        self._stream.write(json.dumps(order) + "\n")
        self._stream.flush()

    def hear(self) -> Any:
        """What it says next; ``None`` when it has ended."""
        try:
            line = self._stream.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def expect(self, what: Any) -> None:
        heard = self.hear()
        assert heard == what, f"{self.name}: {heard!r}, not {what!r}\n{self.complaints}"

    def stop(self) -> None:
        """Freeze it, wherever it is."""
        os.kill(self._pid, signal.SIGSTOP)

    def cont(self) -> None:
        os.kill(self._pid, signal.SIGCONT)

    @property
    def complaints(self) -> str:
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def end(self) -> None:
        """Whatever state it is in."""
        if self._stream.closed:
            return
        if not self._has_ended():
            os.kill(self._pid, signal.SIGKILL)
        with contextlib.suppress(BrokenPipeError):
            self._stream.close()
        self._channel.close()

    def _has_ended(self) -> bool:
        """By its end of the channel: its number may be another's by now."""
        self._channel.setblocking(False)
        try:
            while self._channel.recv(65_536):
                pass
        except BlockingIOError:
            return False
        except ConnectionResetError:
            pass
        return True


class Nursery:
    """Forks the workers that see the site in one way."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.folder = folder
        # Packets, so that each message comes with its own descriptor.
        self.desk, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.nursery", str(theirs.fileno())],
                cwd=ROOT,
                env=site.environment,
                pass_fds=[theirs.fileno()],
            )

    def start(self, orders: dict[str, Any]) -> Process:
        name = orders["name"]
        log = self.folder / f"{name}.log"
        own = {"seed": name, "board": str(self.folder / "board"), "log": str(log)}
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.desk, [json.dumps(orders | own).encode()], [theirs.fileno()])
        return Process(name, ours, log)

    def close(self) -> None:
        self.desk.close()
        self.process.wait(PATIENCE)


@dataclass
class Run:
    """The processes at work; a test hurts the site's servers meanwhile, and asks for findings."""

    folder: Path
    nursery: Nursery
    users: list[Any]
    writers: list[Process] = field(default_factory=list)
    readers: list[Process] = field(default_factory=list)
    started: list[Process] = field(default_factory=list)
    seconds: float = SECONDS
    began: float = 0.0
    records: list[Record] = field(default_factory=list)
    steps: int = 0
    """How often the test did something to the site, undid it, or let it be."""

    @property
    def everybody(self) -> list[Process]:
        return [*self.writers, *self.readers]

    def tell(self, order: dict[str, Any], *processes: Process) -> None:
        for process in processes or self.everybody:
            process.tell(order)

    def until(self, seconds: float) -> float:
        """Let them work until so many seconds after the start; the moment it is then."""
        self.steps += 1
        return self._sleep_until(seconds)

    def _sleep_until(self, seconds: float) -> float:
        time.sleep(max(0.0, self.began + seconds - time.monotonic()))
        return time.monotonic()

    def every(self, pause: float, until: float) -> Iterator[None]:
        """Again and again until so many seconds after the start."""
        while time.monotonic() < self.began + until:
            self.steps += 1
            yield
            time.sleep(pause)

    def start_writer(self, number: int, generation: int = 0) -> Process:
        """A later ``generation`` takes the place of one that died."""
        users = self.users[number * USERS_EACH : (number + 1) * USERS_EACH]
        name = f"writer-{number}" + (f"-{generation}" if generation else "")
        return self._start(self.nursery, {"role": "writer", "name": name, "users": users})

    def start_reader(self, number: int, nursery: Nursery) -> Process:
        name = f"reader-{number}"
        record = str(self.folder / f"{name}.records")
        return self._start(nursery, {"role": "reader", "name": name, "record": record})

    def _start(self, nursery: Nursery, orders: dict[str, Any]) -> Process:
        self.started.append(nursery.start(orders))
        return self.started[-1]

    def finish(self) -> None:
        """Let them work out the time, stop them, and gather what they recorded."""
        self._sleep_until(self.seconds)
        self.tell({"do": "stop"})
        for process in self.everybody:
            process.expect("done")
        for process in self.everybody:
            # Threads of a backend's own must not keep a process from ending.
            process.expect(None)
        for path in [self.folder / "board", *self.folder.glob("*.records")]:
            board = Board(path)
            self.records += [one for one in board.fresh() if not isinstance(one, Notice | Rush)]
            board.close()

    def findings(self, *, bound: float = 0.0, limit: float = LIMIT, healed: float) -> Findings:
        """``healed``: how many seconds after the start all should be well again."""
        healed_at = self.began + healed
        return examine(self.records, bound=bound, limit=limit, grace=GRACE, healed=healed_at)

    def count(self, findings: Findings, *, planted: bool = False) -> None:
        """Among the totals of the log, once."""
        counts = totals.count(self.records, findings, steps=self.steps, planted=planted)
        totals.judged.append(counts)

    def assert_sound(
        self,
        *,
        healed: float,
        bound: float = 0.0,
        limit: float = LIMIT,
        may_refuse: bool = False,
        at_least: int = 20,
    ) -> None:
        """The verdict on a run that is over."""
        findings = self.findings(bound=bound, limit=limit, healed=healed)
        self.count(findings)
        print(f"Started at {self.began:.4f}. {findings}")
        problems = findings.problems(at_least=at_least, may_refuse=may_refuse)
        logs = [f"{one.name}: {one.complaints}" for one in self.started if one.complaints]
        assert not problems, "\n".join([*problems, str(findings), *logs])


@contextlib.contextmanager
def crew(
    folder: Path, writers: Site, readers: Site | None = None, *, seconds: float = SECONDS
) -> Iterator[Run]:
    """Has a site made, and processes at work on it; they have stopped when the block is left.

    ``readers``: where they see the site through wires of their own.
    """
    with contextlib.ExitStack() as stack:
        nurseries = [Nursery(site, folder) for site in (writers, readers) if site is not None]
        for nursery in nurseries:
            stack.callback(nursery.close)
        users = make_site(nurseries[0])
        run = Run(folder, nurseries[0], users, seconds=seconds)
        stack.callback(lambda: [process.end() for process in run.started])
        for number in range(WRITERS):
            run.writers.append(run.start_writer(number))
        for number in range(READERS):
            run.readers.append(run.start_reader(number, nurseries[-1]))
        for process in run.everybody:
            process.expect("up")
        run.began = time.monotonic()
        run.tell({"do": "go"})
        yield run
        run.finish()


def make_site(nursery: Nursery) -> list[Any]:
    """Tables and users; the keys of these."""
    process = nursery.start({"role": "preparer", "name": "preparer", "users": WRITERS * USERS_EACH})
    try:
        users: list[Any] = process.hear()
        assert users, process.complaints
        process.expect(None)
    finally:
        process.end()
    return users
