"""Statements and Redis round trips of a thread, counted where every client of them passes.

In a pass of its own: what counts also slows.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

from django.db.backends.utils import CursorWrapper
from redis.connection import AbstractConnection


@dataclass
class Counts:
    """``round_trips``: a pipeline is one."""

    statements: int = 0
    round_trips: int = 0


@contextlib.contextmanager
def counted() -> Iterator[Counts]:
    """Of this thread alone: what threads in the background do is not waited for."""
    counts, thread = Counts(), threading.get_ident()
    execute: Any = CursorWrapper.execute
    send: Any = AbstractConnection.send_packed_command

    def counting_execute(self: Any, *args: Any, **kwargs: Any) -> Any:
        counts.statements += threading.get_ident() == thread
        return execute(self, *args, **kwargs)

    def counting_send(self: Any, *args: Any, **kwargs: Any) -> Any:
        counts.round_trips += threading.get_ident() == thread
        return send(self, *args, **kwargs)

    with (
        mock.patch.object(CursorWrapper, "execute", counting_execute),
        mock.patch.object(AbstractConnection, "send_packed_command", counting_send),
    ):
        yield counts
