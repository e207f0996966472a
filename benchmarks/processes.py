"""The processes that a measurement needs: the site's server, and companions that use it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final

from benchmarks.client import worker_states
from benchmarks.contenders import Contender
from benchmarks.plan import Disturbed
from benchmarks.quiet import processor_seconds
from tests.services.server import free_port

PINNED: Final = hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1
"""Whether a server of one worker and its client can have a core each."""
_CORES: Final = sorted(os.sched_getaffinity(0)) if PINNED else []
SERVER_CORE: Final = _CORES[0] if PINNED else None
CLIENT_CORE: Final = _CORES[1] if PINNED else None
ROOT: Final = Path(__file__).resolve().parent.parent
_READY_WITHIN: Final = 120.0

complaints: Final[list[str]] = []
"""What the servers of the whole run have said: warnings and worse."""


@dataclass(frozen=True)
class Kind:
    """A server, and how it treats connections."""

    name: str
    command: Sequence[str]
    keep_alive: bool
    environment: Mapping[str, str] = field(default_factory=dict)


_GUNICORN: Final = (
    *("gunicorn", "example_project.wsgi:application", "--no-control-socket"),
    *("--log-level", "warning", "--keep-alive", "3600", "--timeout", "120"),
)
SYNC: Final = Kind("gunicorn sync", _GUNICORN, keep_alive=False)
GTHREAD: Final = Kind(
    "gunicorn gthread",
    (*_GUNICORN, "--worker-class", "gthread", "--threads", "4"),
    keep_alive=True,
)
POOLED: Final = find_spec("psycopg_pool") is not None
UVICORN: Final = Kind(
    "uvicorn" if POOLED else "uvicorn, no pool",
    (
        *("uvicorn", "example_project.asgi:application", "--log-level", "warning"),
        *("--timeout-keep-alive", "3600", "--no-access-log"),
    ),
    keep_alive=True,
    environment={"BENCH_POOL": "1"} if POOLED else {"BENCH_ASGI": "1"},
)


class SiteServer:
    """The example project, served."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        contender: Contender,
        port: int,
        header: str,
        workers: int,
    ) -> None:
        self.process, self.contender, self.port = process, contender, port
        self._header, self._workers = header, workers

    def states(self, *, but: frozenset[int] = frozenset()) -> dict[int, Any]:
        """What each worker says of itself, by its process number."""
        return worker_states(self.port, self._header, self._workers, but=but)

    @property
    def processor_seconds(self) -> float:
        """What its processes have taken so far."""
        return processor_seconds(self.process.pid)

    def make_ready(self) -> dict[int, Any]:
        """Ask until each worker answers by itself; their states then."""
        deadline = time.monotonic() + _READY_WITHIN
        why: object = "not all workers are ready"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Disturbed(f"the server ended by itself ({self.process.returncode})")
            try:
                states = self.states()
            except OSError as error:  # not listening yet
                why = error
            else:
                if all(state["ready"] for state in states.values()):
                    return states
            time.sleep(0.05)
        raise Disturbed(f"the server was not ready in time: {why}")

    def require_undisturbed(self, before: dict[int, Any]) -> None:
        """That the same workers answered, and by themselves."""
        after = self.states()
        if after.keys() != before.keys():
            raise Disturbed(f"workers {sorted(before)} became {sorted(after)}")
        for pid, state in after.items():
            fell = state["fallbacks"] - before[pid]["fallbacks"]
            if fell or not state["ready"]:
                raise Disturbed(f"worker {pid}: ready={state['ready']}, {fell} fallbacks")


@contextlib.contextmanager
def serving(kind: Kind, contender: Contender, header: str, workers: int) -> Iterator[SiteServer]:
    """The site as set up for the contender, until the block is left. ``header``: a live one.

    A single worker has a core to itself, as far as its client (``CLIENT_CORE``) is concerned.
    """
    port = free_port()
    bind = ("--bind", f"127.0.0.1:{port}") if "gunicorn" in kind.command else ("--port", str(port))
    with tempfile.NamedTemporaryFile(suffix=".log") as log:
        process = _start(
            [*kind.command, *bind, "--workers", str(workers)],
            {**contender.environment, **kind.environment},
            core=SERVER_CORE if workers == 1 else None,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield SiteServer(process, contender, port, header, workers)
        finally:
            _end(process)
            text = Path(log.name).read_text(errors="replace")
            complaints.extend(
                f"{kind.name}, {contender.name}: {line}" for line in text.splitlines() if line
            )


class Companion:
    """A module of ours in a process of its own, spoken to by lines of JSON."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def tell(self, what: Any) -> None:
        """One line to it."""
        stream = self._process.stdin
        assert stream is not None
        stream.write(json.dumps(what).encode() + b"\n")
        stream.flush()

    def hear(self) -> Any:
        """Its next line; ``None`` for an empty one."""
        stream = self._process.stdout
        assert stream is not None
        line = stream.readline()
        if not line:
            raise Disturbed("a process of the benchmark's own ended early; it says why above")
        return json.loads(line) if line.strip() else None


@contextlib.contextmanager
def companion(
    module: str, environment: Mapping[str, str] | None = None, core: int | None = None
) -> Iterator[Companion]:
    """``module`` of this package, until the block is left; on one core alone if it is named."""
    process = _start(
        [f"benchmarks.{module}"],
        environment or {},
        core=core,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield Companion(process)
    finally:
        _end(process)


def _start(
    command: Sequence[str],
    environment: Mapping[str, str],
    core: int | None,
    **streams: int | IO[bytes],
) -> subprocess.Popen[bytes]:
    # The stubs know no streams by **.
    process: subprocess.Popen[bytes] = subprocess.Popen(  # type: ignore[call-overload]
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | environment,
        start_new_session=True,
        **streams,
    )
    if core is not None:
        # Long before it has processes or threads of its own, which will share the core.
        os.sched_setaffinity(process.pid, {core})
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole group, at once: nobody's worker may be there in the next measurement."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
