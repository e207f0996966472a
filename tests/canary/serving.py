"""Sites to measure: a make-believe one whose workers do as told, and a real one."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection

from jwt_revoke import signals
from tests.services.server import end_process, free_port

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN = 60
NEVER = 1e9


def worker(number: int) -> str:
    return str(UUID(int=number))


class Server(ThreadingHTTPServer):
    request_queue_size = 64
    """More than ever ask at once: a connection that is dropped is tried again after a second."""


class MakeBelieve:
    """Answers as ``len(lags)`` workers in turn; each takes a revocation in after its lag."""

    def __init__(self, *lags: float) -> None:
        self.lags = lags
        self.revoked_at = NEVER
        self.asked: list[str] = []
        self.answer: Callable[[int], tuple[int, bytes]] = self._honest
        self._turn = itertools.count()
        self._server = Server(("127.0.0.1", 0), self._handler())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/auth/"

    def __enter__(self) -> MakeBelieve:
        signals.revoked.connect(self._hear)
        signals.signed_in.connect(self._begin)
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        signals.revoked.disconnect(self._hear)
        signals.signed_in.disconnect(self._begin)
        self._server.shutdown()
        self._server.server_close()

    def _hear(self, **_arguments: Any) -> None:
        self.revoked_at = time.monotonic()

    def _begin(self, **_arguments: Any) -> None:
        self.revoked_at = NEVER

    def _honest(self, turn: int) -> tuple[int, bytes]:
        number = turn % len(self.lags)
        late = time.monotonic() - self.revoked_at
        standing = "revoked" if late >= self.lags[number] else "live"
        return 200, json.dumps({"worker": worker(number), "standing": standing}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                status, body = site.answer(next(site._turn))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                """Nobody reads it."""

        return Handler


@contextlib.contextmanager
def gunicorn(
    configured: Mapping[str, Any],
    folder: Path,
    workers: int,
    *arguments: str,
    settings: str = "tests.canary.settings",
    **environment: str,
) -> Iterator[str]:
    """The suite's site on the suite's database, by that many processes; its ``api/auth/``.

    ``arguments`` are gunicorn's, ``environment`` is what such ``settings`` want beside ours.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}/api/auth/"
    log = folder / "gunicorn.log"
    command = [
        *(sys.executable, "-m", "gunicorn", "--workers", str(workers)),
        *("--bind", f"127.0.0.1:{port}", "--graceful-timeout", "3"),
        *arguments,
        "tests.canary.site:application",
    ]
    variables = (
        os.environ
        | environment
        | {
            "CANARY_DATABASE": json.dumps(str(connection.settings_dict["NAME"])),
            "CANARY_SETTINGS": json.dumps(configured),
            "DJANGO_SETTINGS_MODULE": settings,
        }
    )
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _until_served(address + "jwks.json", server, log)
        yield address
    finally:
        end_process(server)


def _until_served(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            late = time.monotonic() > deadline
            assert server.poll() is None, log.read_text()[-3000:]
            assert not late, log.read_text()[-3000:]
            time.sleep(0.1)  # it says nowhere that it is ready
