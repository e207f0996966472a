"""A replica judged by its own reading, not by the database backend that answers until then."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any, ClassVar

from jwt_revoke.backends.base import BaseBackend, get_backend
from jwt_revoke.backends.replica import ReplicaBackend
from jwt_revoke.exceptions import TokenRefused, Unavailable
from jwt_revoke.testing import Device
from tests.backends.contract import claims_of

PATIENCE = 20
PATH = "jwt_revoke.backends.replica.ReplicaBackend"


def until(reached: Callable[[], Any]) -> Any:
    """What ``reached`` gives once it gives something: threads of their own are at work."""
    deadline = time.monotonic() + PATIENCE
    while not (found := reached()):
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.002)
    return found


def until_ready(backend: Any) -> None:
    """Wait for the thread in the background; any check starts it."""

    def ready() -> bool:
        with contextlib.suppress(Unavailable):  # ready by now, and read at once
            backend._sync(float("inf"))
        return bool(backend.ready)

    if not backend.ready:
        until(ready)


def check_by_copy(claims: Any, max_staleness: float | None = None) -> Any:
    """What the configured replica says by its own copy."""
    backend: Any = get_backend()
    while True:
        until_ready(backend)
        before = backend.fallbacks
        try:
            found = backend.check(claims, max_staleness)
        except TokenRefused:
            if backend.fallbacks == before:
                raise
        else:
            if backend.fallbacks == before:
                return found


class Following:
    """For contract suites: the check is the copy's own."""

    backend: ClassVar[type[BaseBackend]] = ReplicaBackend

    def check(self, device: Device, **changes: Any) -> Any:
        return check_by_copy(claims_of(device, **changes))
