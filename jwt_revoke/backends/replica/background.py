"""What no request waits for: done by a thread, one job at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from django.db import Error, connections

from ...clock import clock
from ...database import describe
from ...exceptions import JWTRevokeError
from .database_log import Behind
from .state import NEVER

logger: Final = logging.getLogger("jwt_revoke")

_RETRY: Final = 0.5
"""Seconds before a job that failed, or any other, is begun again."""


class Background:
    """Runs jobs of one process. Whoever starts them takes turns; a fork needs another instance."""

    def __init__(self) -> None:
        self.closed = False
        self._thread: threading.Thread | None = None
        self._retry_at = NEVER
        self._trouble = ""

    def start(self, job: Callable[[], None]) -> None:
        """Run ``job`` unless one is running, or has just failed."""
        if self.is_busy or clock() < self._retry_at or self.closed:
            return
        self._thread = threading.Thread(
            target=self.run, args=(job,), name="jwt_revoke replica", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError:  # no thread can be had, at the interpreter's end for one
            self._thread = None

    @property
    def is_busy(self) -> bool:
        """Whether a job is running."""
        return self._thread is not None and self._thread.is_alive()

    def run(self, job: Callable[[], None]) -> None:
        """Run ``job`` here, and put off the next one if it fails."""
        try:
            job()
        except Behind as behind:
            self._put_off(str(behind))
        except JWTRevokeError as error:
            self._put_off(error.detail)
        except Error as error:
            self._put_off(describe(error))
        except Exception:
            self._put_off("a fault of ours")
            if not self.closed:
                logger.exception("Replica, in the background")
        else:
            self._trouble = ""
        finally:
            connections.close_all()  # this thread's own

    def _put_off(self, trouble: str) -> None:
        # The same trouble is said once, not twice a second.
        self._retry_at = clock() + _RETRY
        if trouble != self._trouble and not self.closed:
            logger.warning("Replica, in the background: %s", trouble)
        self._trouble = trouble
