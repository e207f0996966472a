"""A wire between a client and a server that a test may cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_CHUNK = 65_536


class Proxy:
    """Forwards TCP from ``port`` to the server, until it is cut or hung; ``heal()`` undoes both."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._flowing = threading.Event()
        self._flowing.set()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = self._bound(0)
        self.port: int = self._listener.getsockname()[1]
        self._listening = False
        self._listen()

    def cut(self) -> None:
        """Every connection is closed, and new ones are refused."""
        with self._lock:
            if not self._listening:
                return
            self._listening = False
            _close(self._listener)
            # Bound, not listening: refused all the same, and nobody else is given the port.
            self._listener = self._bound(self.port)
        self._drop()

    def hang(self) -> None:
        """Connections are accepted and stay open; not a byte goes either way."""
        self._flowing.clear()

    def heal(self) -> None:
        """All flows again; what a hung connection had on its way arrives now."""
        self._flowing.set()
        if not self._listening:
            self._listen()

    def close(self) -> None:
        self.cut()
        _close(self._listener)
        self._flowing.set()

    @staticmethod
    def _bound(port: int) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        return listener

    def _listen(self) -> None:
        self._listening = True
        self._listener.listen(128)
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # cut
            threading.Thread(target=self._join, args=[client, listener], daemon=True).start()

    def _join(self, client: socket.socket, listener: socket.socket) -> None:
        if not self._keep(client, listener):
            return
        self._flowing.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            self._forget(client)
            return
        server.settimeout(None)
        if self._keep(server, listener):
            threading.Thread(target=self._pump, args=[server, client], daemon=True).start()
            self._pump(client, server)
        else:
            self._forget(client)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                self._flowing.wait()
                sink.sendall(data)
        self._flowing.wait()
        self._forget(source, sink)

    def _keep(self, end: socket.socket, listener: socket.socket) -> bool:
        """False = the wire was cut since that connection was accepted."""
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            if self._listening and self._listener is listener:
                self._open.add(end)
                return True
        _close(end)
        return False

    def _forget(self, *ends: socket.socket) -> None:
        with self._lock:
            self._open.difference_update(ends)
        for end in ends:
            _close(end)

    def _drop(self) -> None:
        with self._lock:
            ends, self._open = self._open, set()
        for end in ends:
            _close(end)


def _close(end: socket.socket) -> None:
    """Shut down first: closing alone does not wake a thread that waits in it."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def proxy(target: int) -> Iterator[Proxy]:
    """A ``Proxy`` to a port of this machine."""
    wire = Proxy(target)
    try:
        yield wire
    finally:
        wire.close()
