"""The fixtures by which a test asks for servers; each conftest.py that wants them imports them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import pytest

from tests import services
from tests.services.redis import Redis
from tests.services.server import ServiceMissing

T = TypeVar("T")


@contextlib.contextmanager
def started(server: AbstractContextManager[T]) -> Iterator[T]:
    """The server, running. Missing = skipped, unless all are required."""
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(server)
        except ServiceMissing as missing:
            if os.environ.get("CI") or os.environ.get("TEST_REQUIRED"):
                raise
            pytest.skip(str(missing))
        yield running


@pytest.fixture
def start() -> Iterator[Callable[[AbstractContextManager[Any]], Any]]:
    """Starts a server, which ends with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda server: stack.enter_context(started(server))


@pytest.fixture
def redis(start: Any) -> Redis:
    """A Redis of the test's own."""
    server: Redis = start(services.redis())
    return server
