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
from dataclasses import dataclass
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

    def write(self, file: Path, text: str) -> None:
        """A file for the server alone; it may hold a password, and the server may rewrite it."""
        file.touch(mode=0o600)
        file.write_text(text)
        if self.name is not None:
            entry = pwd.getpwnam(self.name)
            os.chown(file, entry.pw_uid, entry.pw_gid)

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


def wait_until(condition: Callable[[], object], what: str, *, within: float = READY_WITHIN) -> None:
    """Polls; an error counts as "not yet": a server that elects or recovers answers with some."""
    deadline = time.monotonic() + within
    error: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except Exception as exc:  # noqa: BLE001 - each step and each driver has errors of its own
            error = exc
        time.sleep(0.05)
    raise TimeoutError(f"Not within {within:g} s: {what} ({error})")


def end_process(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """In order if it can, by force if it does not."""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(STOPPED_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Server:
    """A server process, to be killed, frozen and started again on the same port.

    The thread that starts it must outlive it: the kernel's signal of our death is sent when that
    *thread* ends, not the process.
    """

    def __init__(
        self,
        account: Account,
        folder: Path,
        command: Callable[[int], Sequence[str]],
        connect: Callable[[int], object],
        *,
        end: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.account, self.folder, self.end_signal = account, folder, end
        self._command, self._connect = command, connect
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: list[int] = []
        self.port = 0

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "The server has not been started"
        return self._process

    def start(self, port: int) -> None:
        """Raises ``_PortTaken`` when somebody else has it."""
        self.port = port
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                [*self.account.server_prefix(self.end_signal), *self._command(port)],
                cwd=self.folder,
                env=_environment(self.folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for us; we then stop the server in order.
                start_new_session=True,
            )
        self._wait_until_ready()

    def restart(self) -> None:
        """Again, on the port that its clients know. It was ended, or is now."""
        self.end()
        for attempt in range(20):
            try:
                self.start(self.port)
            except _PortTaken:
                # Held for a moment by what is left of a connection to the server that was.
                if attempt == 19:
                    raise
                time.sleep(0.1)
            else:
                return

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Dead before the call returns."""
        self.process.send_signal(how)
        self.process.wait(STOPPED_WITHIN)

    def stop(self) -> None:
        """Freeze it, children included: they accept connections and answer nothing."""
        # The parent first: a child it made in between would go on answering.
        os.kill(self.process.pid, signal.SIGSTOP)
        self._frozen = [self.process.pid, *self._children()]
        for pid in self._frozen[1:]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def cont(self) -> None:
        for pid in reversed(self._frozen):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._frozen = []

    def end(self) -> None:
        if self._process is None:
            return
        self.cont()  # a frozen process is deaf to all but SIGKILL
        end_process(self.process, self.end_signal)

    def _children(self) -> list[int]:
        pid = self.process.pid
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        error: Exception | None = None
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                text = self.log.read_text(errors="replace")
                if "already in use" in text.lower():
                    raise _PortTaken(text[-2000:])
                raise RuntimeError(f"The server ended at once:\n{text[-2000:]}")
            try:
                self._connect(self.port)
            except Exception as exc:  # noqa: BLE001 - each driver has its own way to say "not yet"
                error = exc
                time.sleep(0.05)
            else:
                return
        text = self.log.read_text(errors="replace")
        raise RuntimeError(f"The server was not ready in time: {error}\n{text[-2000:]}")


@dataclass(frozen=True)
class Private:
    """A server that asks for a password, as its tests hold it."""

    server: Server
    password: str

    def __str__(self) -> str:
        return self.url

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def url(self) -> str:
        """Its address."""
        raise NotImplementedError

    def stop(self) -> None:
        """Freeze it: it accepts connections and answers nothing."""
        self.server.stop()

    def cont(self) -> None:
        self.server.cont()


@contextlib.contextmanager
def serving(
    account: Account,
    folder: Path,
    command: Callable[[int], Sequence[str]],
    connect: Callable[[int], object],
    *,
    end: signal.Signals = signal.SIGTERM,
    choose_port: Callable[[], int] = free_port,
) -> Iterator[Server]:
    """Runs `command(port)` until the block is left; `connect(port)` raises until it is ready."""
    server = Server(account, folder, command, connect, end=end)
    with _exit_on_sigterm():
        try:
            for attempt in range(3):
                try:
                    server.start(choose_port())
                except _PortTaken:
                    # Between our probe and its bind another process was quicker.
                    if attempt == 2:
                        raise
                else:
                    break
            yield server
        finally:
            server.end()


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
