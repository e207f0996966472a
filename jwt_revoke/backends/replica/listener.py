"""PostgreSQL's LISTEN/NOTIFY: a wake-up, so that a replica with a long bound hears at once.

Nothing rests on it. A notification that is lost costs time, never the bound.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from django.db import Error, connections

from ...database import describe
from ...exceptions import Unavailable
from .connection import LogConnection

logger: Final = logging.getLogger("jwt_revoke")

CHANNEL: Final = "jwt_revoke_log"
_LOOK_UP: Final = 1.0
"""Seconds after which the thread sees whether it is still wanted."""
_PAUSE: Final = 2.0


def notify(using: str) -> None:
    """Wake the listeners. After the commit, on its own: a NOTIFY inside the site's transaction
    makes every commit of the database that has one wait for the others."""
    try:
        with connections[using].cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])
    except Error as error:
        logger.warning("Listeners not woken: %s", describe(error))


class Listener:
    """A thread that calls ``wake`` for each notification."""

    def __init__(self, using: str, wake: Callable[[], None]) -> None:
        self._using, self._wake = using, wake
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="jwt_revoke listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread, within a second."""
        self._closed.set()
        self._thread.join(2 * _LOOK_UP)

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                self._listen()
            except Unavailable as error:
                logger.warning("Listener: %s", error.detail)
            except Exception as error:  # noqa: BLE001  (the driver's own, outside Django's wrapper)
                logger.warning("Listener: %s", type(error).__name__)
            self._closed.wait(_PAUSE)

    def _listen(self) -> None:
        connection = LogConnection(self._using, timeout=10)
        try:
            driver: Any = connection.wrapper.connection
            driver.execute(f"LISTEN {CHANNEL}")
            # What was revoked before it listened: it was not heard.
            self._wake()
            while not self._closed.is_set():
                for _notification in driver.notifies(timeout=_LOOK_UP, stop_after=1):
                    self._wake()
        finally:
            connection.close()
