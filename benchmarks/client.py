"""The client's side of HTTP, as little of it as will do: what it costs is taken from the server.

Pure Python and sockets; no Django, since it runs in processes of its own.
"""

from __future__ import annotations

import contextlib
import json
import socket
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

WORKER: Final = "/bench/worker/"
"""Where a worker says who it is to whoever is signed in (``urls.py``)."""
_TIMEOUT: Final = 60.0
_TRIES: Final = 600
_AT_ONCE: Final = 8


def request_bytes(path: str, header: str = "", *, keep_alive: bool = True) -> bytes:
    """The request as it goes over the wire. ``header``: of ``Authorization``, or a whole line."""
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Accept: application/json"]
    if header:
        lines.append(header if ": " in header else f"Authorization: {header}")
    lines += [] if keep_alive else ["Connection: close"]
    return "\r\n".join([*lines, "", ""]).encode("ascii")


class Connection:
    """One connection; a question at a time. Every call may raise ``OSError``."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), _TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """The status and the body."""
        self.send(request)
        return self.receive()

    def send(self, request: bytes) -> None:
        """The first half of ``ask``."""
        self._socket.sendall(request)

    def receive(self) -> tuple[int, bytes]:
        """The second half."""
        # uvicorn's workers write in two parts with Nagle's algorithm on: who delays his ACK of the
        # first waits 40 ms for the second.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        length = _content_length(head)
        while len(body) < length:
            body += self._more()
        return int(head[9:12]), body

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def _more(self) -> bytes:
        part = self._socket.recv(65_536)
        if not part:
            raise ConnectionResetError("closed by the server")
        return part


def _content_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    if not found:
        raise ConnectionError("an answer without a length")
    return int(rest.partition(b"\r\n")[0])


def ask_once(port: int, request: bytes) -> tuple[int, bytes]:
    """By a connection of its own."""
    connection = Connection(port)
    try:
        return connection.ask(request)
    finally:
        connection.close()


def spread_connections(
    port: int, header: str, workers: int, each: int
) -> dict[int, list[Connection]]:
    """Kept-alive connections, as many to each worker; by its process number.

    The kernel hands them out as it likes: those that one worker has too many of are held until
    the others have enough, and then closed.
    """
    found: dict[int, list[Connection]] = defaultdict(list)
    spare: list[Connection] = []
    for _ in range(_TRIES):
        connection = Connection(port)
        pid = _state(connection.ask(request_bytes(WORKER, header)))["pid"]
        (found[pid] if len(found[pid]) < each else spare).append(connection)
        if len(found) == workers and all(len(held) == each for held in found.values()):
            break
    else:
        raise TimeoutError(f"{_TRIES} connections, and not {each} to each of {workers} workers")
    for connection in spare:
        connection.close()
    return found


def worker_states(
    port: int, header: str, workers: int, *, but: frozenset[int] = frozenset()
) -> dict[int, Any]:
    """What each worker says of itself, by its process number. ``but``: workers that do not count.

    Raises ``TimeoutError`` when they cannot all be found.
    """
    found: dict[int, Any] = {}
    for _ in range(_TRIES // _AT_ONCE):
        # At once: whoever is the quickest to accept is busy then.
        with _connections(port) as asked:
            for connection in asked:
                connection.send(request_bytes(WORKER, header, keep_alive=False))
            for connection in asked:
                state = _state(connection.receive())
                # gunicorn lingers on each until the client has closed it.
                connection.close()
                if state["pid"] not in but:
                    found[state["pid"]] = state
        if len(found) >= workers:
            return found
    raise TimeoutError(f"{len(found)} of {workers} workers were found")


@contextlib.contextmanager
def _connections(port: int) -> Iterator[list[Connection]]:
    with contextlib.ExitStack() as stack:
        made = [Connection(port) for _ in range(_AT_ONCE)]
        for connection in made:
            stack.callback(connection.close)
        yield made


def _state(answer: tuple[int, bytes]) -> dict[str, Any]:
    status, body = answer
    if status != 200:
        raise ConnectionError(f"{WORKER} answered {status}")
    state: dict[str, Any] = json.loads(body)
    return state
