"""HTTP as an attacker speaks it: any bytes in any place, over a socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PATIENCE = 30


class Answer(NamedTuple):
    """What came back; ``body`` is its JSON, or its bytes where it is none."""

    status: int
    body: Any
    headers: Mapping[str, str]


class Wire:
    """A connection to a server, made anew where that one closes it."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._socket: socket.socket | None = None

    def ask(
        self, method: str, path: str, headers: Mapping[str, bytes] | None = None, body: bytes = b""
    ) -> Answer:
        """One request, sent as it is given."""
        lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: " + self._address.netloc.encode()]
        lines += [name.encode() + b": " + value for name, value in (headers or {}).items()]
        if body:
            lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
        message = b"\r\n".join([*lines, b"", body])
        if self._socket is not None:
            try:
                return self._asked(method, message)
            except (OSError, HTTPException):
                self.close()  # it was kept open for long enough
        self._socket = socket.create_connection(
            (self._address.hostname, self._address.port), timeout=PATIENCE
        )
        return self._asked(method, message)

    def _asked(self, method: str, message: bytes) -> Answer:
        assert self._socket is not None
        self._socket.sendall(message)
        with HTTPResponse(self._socket, method=method) as response:
            response.begin()
            content = response.read()
            headers = {name.lower(): value for name, value in response.getheaders()}
            if response.will_close:
                self.close()
        try:
            body = json.loads(content)
        except ValueError:
            body = content
        return Answer(response.status, body, headers)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
