"""The fixture by which a test asks for servers; each conftest.py that wants it imports it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import pytest

from tests.services.server import ServiceMissing

T = TypeVar("T")


@pytest.fixture
def start() -> Iterator[Callable[[AbstractContextManager[Any]], Any]]:
    """Starts a server, which ends with the test. Missing = skipped, unless all are required."""
    with contextlib.ExitStack() as stack:

        def enter(server: AbstractContextManager[T]) -> T:
            try:
                return stack.enter_context(server)
            except ServiceMissing as missing:
                if os.environ.get("CI") or os.environ.get("TEST_REQUIRED"):
                    raise
                pytest.skip(str(missing))

        yield enter
