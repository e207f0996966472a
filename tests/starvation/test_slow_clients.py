"""Clients that never send the rest, or a byte at a time, and so keep a thread each (slow-loris)."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Callable, Iterator

import pytest

from jwt_revoke.rest.base import MAX_BODY
from jwt_revoke.testing import Device
from tests.starvation.conftest import SERVED, THREADS, Site
from tests.starvation.crowd import PATIENCE, crowd, figures, request
from tests.wire import AUTH

pytestmark = SERVED

Connect = Callable[[], socket.socket]
STALLED = THREADS - 1
"""Were they all on one process, a thread of it would be left."""
PATHS = [
    *("token/", "token/refresh/", "token/verify/", "token/blacklist/"),
    *("logout/", "logout/all/", "password/change/", "reauthenticate/"),
]
WITHOUT_FIELDS = {"logout/", "logout/all/", "password/change/", "reauthenticate/"}
"""Which need none, or are shut before any is read."""


@pytest.fixture
def connect(site: Site) -> Iterator[Connect]:
    """A connection to the site, which ends with the test."""
    with contextlib.ExitStack() as stack:

        def opened() -> socket.socket:
            client = socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return stack.enter_context(client)

        yield opened


def status(client: socket.socket) -> int:
    return int(client.recv(4096).split()[1])


def of_size(path: str, body: dict[str, str], size: int) -> bytes:
    """A request whose body is that long."""
    message = request(AUTH + path, body, Content_Length=str(size))
    return message.ljust(len(message) - len(json.dumps(body)) + size)


@pytest.mark.parametrize("stop", ["in the head", "before the body", "in the body"])
def test_others_are_served_beside_clients_that_never_send_the_rest(
    site: Site, phone: Device, connect: Connect, stop: str
) -> None:
    """As long as they are fewer than the threads: bounding them is for who stands in front."""
    whole = of_size("token/verify/", {"token": phone.access}, MAX_BODY)
    body = whole.index(b"\r\n\r\n") + 4
    sent = {"in the head": body // 2, "before the body": body, "in the body": len(whole) - 1}[stop]
    stalled = [connect() for _ in range(STALLED)]
    for client in stalled:
        client.sendall(whole[:sent])

    answers = [answer for (answer,) in crowd(site.port, [checked(phone)] * 50)]

    figures(f"beside {STALLED} stalled {stop}", answers)
    assert {answer.status for answer in answers} == {200}
    # They had not been given up: the rest is waited for, and answered.
    for client in stalled:
        client.sendall(whole[sent:])
    assert {status(client) for client in stalled} == {200}


def checked(device: Device) -> list[bytes]:
    return [request(AUTH + "token/verify/", {"token": device.access})]


def test_a_body_that_comes_a_byte_at_a_time_is_read_to_its_end(
    phone: Device, connect: Connect
) -> None:
    client = connect()
    for byte in of_size("token/verify/", {"token": phone.access}, 2000):
        client.sendall(bytes([byte]))
    assert status(client) == 200


def test_a_body_past_the_limit_is_not_waited_for(phone: Device, connect: Connect) -> None:
    """Invariant 10. By its announced length, not a byte of it read."""
    for path in PATHS:
        client = connect()
        client.sendall(
            request(
                AUTH + path, token=phone.access, method="POST", Content_Length=str(MAX_BODY + 1)
            )
        )
        assert (path, status(client)) == (path, 413)


def test_a_body_without_an_end_is_not_waited_for(phone: Device, connect: Connect) -> None:
    """Chunked, it announces no length: to whoever reads none, it is empty (RFC 9112 §7.1)."""
    chunked = {"Transfer_Encoding": "chunked", "Content_Type": "application/json"}
    for path in PATHS:
        client = connect()
        head = request(AUTH + path, method="POST", **chunked)
        client.sendall(head + b"400\r\n" + b" " * 1024)
        expected = 401 if path in WITHOUT_FIELDS else 400
        assert (path, status(client)) == (path, expected)
