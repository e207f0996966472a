"""What the processes of a fault run have in common: orders, a loop, requests and their answers."""

from __future__ import annotations

import hashlib
import json
import random
import select
import socket
import sys
import time
from abc import ABC, abstractmethod
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from tests.faults.board import Board


class Channel:
    """Lines of JSON to and from the test."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._rest = b""

    def say(self, what: Any) -> None:
        self._socket.sendall(json.dumps(what).encode() + b"\n")

    def orders(self, within: float | None) -> list[dict[str, Any]]:
        """What comes in so many seconds; the end is an order to stop."""
        if not select.select([self._socket], [], [], within)[0]:
            return []
        received = self._socket.recv(65_536)
        if not received:
            return [{"do": "stop"}]  # whoever started us is gone
        *lines, self._rest = (self._rest + received).split(b"\n")
        return [json.loads(line) for line in lines]


class Worker(ABC):
    """A loop of operations with a rest between them, so that two cores do for all."""

    pause: ClassVar[float]
    """Seconds; more after an operation that took long, for then the processors are wanted by more
    than there are of them, and to ask sooner would only make each answer later."""
    longest_pause: ClassVar[float]

    def __init__(self, orders: dict[str, Any]) -> None:
        self.name: str = orders["name"]
        self.board = Board(Path(orders["board"]))
        self.random = random.Random(orders["seed"])
        self.going = self.stopped = False
        self.client, self.errors = self._client()

    def request(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, str, Any]:
        """The status, the exception that made it a 500, and what a 200 brought."""
        self.errors.clear()
        send = getattr(self.client, method)
        response = send(path, body, headers=headers)
        answer = response.json() if response.status_code == 200 else None
        return response.status_code, "; ".join(self.errors), answer

    def _client(self) -> tuple[Any, list[str]]:
        from django.core.signals import got_request_exception
        from rest_framework.test import APIClient

        errors: list[str] = []

        def notice(**_kwargs: Any) -> None:
            errors.append(repr(sys.exception())[:300])

        got_request_exception.connect(notice, weak=False)
        return APIClient(raise_request_exception=False), errors

    @abstractmethod
    def step(self) -> None:
        """One operation."""

    def obey(self, order: dict[str, Any]) -> None:
        match order:
            case {"do": "go"}:
                self.going = True
            case {"do": "stop"}:
                self.stopped = True
            case {"do": "step the clock", "by": seconds}:
                step_the_clock(seconds)
            case _:
                raise ValueError(order)

    def run(self, channel: Channel) -> None:
        from django.db import close_old_connections

        took = 0.0
        while not self.stopped:
            rest = self.random.uniform(0.5, 1.5) * max(self.pause, min(took, self.longest_pause))
            for order in channel.orders(rest if self.going else None):
                self.obey(order)
            if self.going and not self.stopped:
                started = time.monotonic()
                # As each request of a site begins; DRF's test client leaves it out.
                close_old_connections()
                self.step()
                took = time.monotonic() - started


def bearer(token: str) -> str:
    """The header's value."""
    return f"Bearer {token}"


def name_of(refresh_token: str) -> str:
    """By which the records call it: whoever holds the same text says the same name."""
    return hashlib.sha256(refresh_token.encode()).hexdigest()[:12] if refresh_token else ""


def step_the_clock(seconds: float) -> None:
    """From now on the wall clock of this process is that far off; CLOCK_MONOTONIC is not."""
    from django.utils import timezone

    real_time, real_time_ns, real_now = time.time, time.time_ns, timezone.now
    time.time = lambda: real_time() + seconds
    time.time_ns = lambda: real_time_ns() + int(seconds * 1e9)
    timezone.now = lambda: real_now() + timedelta(seconds=seconds)
