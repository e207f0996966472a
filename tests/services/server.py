"""Starting a server as nobody in particular, and making sure that it ends."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

READY_WITHIN = 60.0
STOPPED_WITHIN = 20.0


class ServiceMissing(Exception):
    """The server cannot be had on this machine; the message says why."""


class _PortTaken(Exception):
    pass


def find_binary(name: str, *patterns: str, package: str) -> str:
    """The binary on the PATH, else the newest that one of the patterns finds."""
    root = Path("/")
    paths = [str(path) for pattern in patterns for path in root.glob(pattern.lstrip("/"))]
    found = sorted(paths, key=_version)
    if path := shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin"):
        found.append(path)
    if not found:
        raise ServiceMissing(f"{name} is not installed (Debian: {package})")
    return found[-1]


def _version(path: str) -> list[int]:
    return [int(part) for part in path.split("/") if part.isdigit()]


class Account:
    """Whom a server runs as: PostgreSQL and MariaDB refuse root, and Redis has no need of it."""

    def __init__(self, *names: str) -> None:
        self.name: str | None = None
        self.setpriv = shutil.which("setpriv")
        if os.geteuid() != 0:
            return
        known = {entry.pw_name for entry in pwd.getpwall()}
        self.name = next((name for name in [*names, "nobody"] if name in known), None)
        if self.name is None or self.setpriv is None:
            raise ServiceMissing("root has no setpriv, or no user, to run a server as")

    @property
    def prefix(self) -> list[str]:
        if self.setpriv is None:
            return []
        if self.name is None:
            return [self.setpriv]
        entry = pwd.getpwnam(self.name)
        return [
            self.setpriv,
            f"--reuid={entry.pw_uid}",
            f"--regid={entry.pw_gid}",
            "--clear-groups",
        ]

    def server_prefix(self, stop: signal.Signals) -> list[str]:
        """The kernel stops the server when we die, even of SIGKILL, which runs no `finally`."""
        prefix = self.prefix
        return [*prefix, f"--pdeathsig={stop.name.removeprefix('SIG')}"] if prefix else []

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="jwt-revoke-service-"))
        try:
            if self.name is not None:
                entry = pwd.getpwnam(self.name)
                os.chown(folder, entry.pw_uid, entry.pw_gid)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def run(self, command: Sequence[str], folder: Path) -> None:
        """A set-up step; its output is shown only when it fails."""
        done = subprocess.run(
            [*self.prefix, *command],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=READY_WITHIN,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout[-2000:]}")


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of ours: a PGDATA or MYSQL_HOME of the developer's must not reach the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LC_ALL": "C"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(
    account: Account,
    folder: Path,
    command: Callable[[int], Sequence[str]],
    connect: Callable[[int], object],
    *,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[int]:
    """Runs `command(port)` until the block is left; `connect(port)` raises until it is ready."""
    with _exit_on_sigterm():
        for attempt in range(3):
            port = free_port()
            log = folder / "server.log"
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [*account.server_prefix(stop), *command(port)],
                    cwd=folder,
                    env=_environment(folder),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C is for us; we then stop the server in order.
                    start_new_session=True,
                )
            try:
                try:
                    _wait_until_ready(process, lambda port=port: connect(port), log)
                except _PortTaken:
                    # Between our probe and its bind another process was quicker.
                    if attempt == 2:
                        raise
                    continue
                yield port
                return
            finally:
                _stop(process, stop)


def _wait_until_ready(
    process: subprocess.Popen[bytes], connect: Callable[[], object], log: Path
) -> None:
    deadline = time.monotonic() + READY_WITHIN
    error: Exception | None = None
    while time.monotonic() < deadline:
        if process.poll() is not None:
            text = log.read_text(errors="replace")
            if "already in use" in text.lower():
                raise _PortTaken(text[-2000:])
            raise RuntimeError(f"The server ended at once:\n{text[-2000:]}")
        try:
            connect()
        except Exception as exc:  # noqa: BLE001 - each driver has its own way to say "not yet"
            error = exc
            time.sleep(0.05)
        else:
            return
    text = log.read_text(errors="replace")
    raise RuntimeError(f"The server was not ready in time: {error}\n{text[-2000:]}")


def _stop(process: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(stop)
    try:
        process.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """SIGTERM ends Python without running `finally`; turned into SystemExit it does.

    A handler that someone else installed is theirs to decide.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def leave(signum: int, frame: object) -> None:
        raise SystemExit(128 + signum)

    signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
