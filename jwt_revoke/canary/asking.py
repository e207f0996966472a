"""Asking whoever answers, on a new connection each time, whether a token still lives."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from django.utils.translation import gettext as _

from ..conf import conf
from ..exceptions import JWTRevokeError

REFUSED: Final = frozenset({"stale", "revoked"})
_THREADS: Final = 8
_PAUSE: Final = 0.01
"""Seconds that each of them rests between two questions: a live site has other things to do."""
_TIMEOUT: Final = 5.0
_MAX_BODY: Final = 4096

clock: Final = time.monotonic


class CanaryFailed(JWTRevokeError):
    """Nothing could be measured; the message says why."""

    slug = "canary_failed"


class Answer(NamedTuple):
    """What a worker said; ``started`` before the connection was opened."""

    started: float
    ended: float
    worker: str
    standing: str


class Site:
    """The live site, by the address of ``jwt_revoke.urls`` there."""

    def __init__(self, url: str) -> None:
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        try:
            parts = urlsplit(url)
            self._kind, self._port = kinds[parts.scheme], parts.port
        except (ValueError, KeyError):
            raise CanaryFailed(_("%(url)s is no address of http or https") % {"url": url}) from None
        self._host = parts.hostname or ""
        self._path = parts.path.rstrip("/") + "/canary/"

    def ask(self, token: str) -> Answer:
        """One question on a connection of its own. Raises ``CanaryFailed``."""
        headers = {
            "Authorization": f"{conf.AUTH_HEADER_TYPES[0]} {token}",
            "Connection": "close",
            "User-Agent": "jwt_revoke canary",
        }
        started = clock()
        connection = self._kind(self._host, self._port, timeout=_TIMEOUT)
        try:
            connection.request("GET", self._path, headers=headers)
            response = connection.getresponse()
            body = response.read(_MAX_BODY)
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            raise CanaryFailed(f"{self._path}: {type(error).__name__}: {error}") from None
        finally:
            connection.close()
        ended = clock()
        if response.status != 200:
            what = {"path": self._path, "status": response.status}
            raise CanaryFailed(_("%(path)s answered %(status)d") % what)
        try:
            said = json.loads(body)
            return Answer(started, ended, str(UUID(str(said["worker"]))), str(said["standing"]))
        except (ValueError, KeyError, TypeError):
            what = {"path": self._path}
            raise CanaryFailed(_("%(path)s answered something else") % what) from None


class Questioners:
    """Threads that ask until the block is left."""

    def __init__(self, site: Site, token: str) -> None:
        self._site, self._token = site, token
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(_THREADS)]
        self.answers: list[Answer] = []
        self.accepting: set[str] = set()
        self.refusing: set[str] = set()
        self.problem = ""

    def __enter__(self) -> Questioners:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(2 * _TIMEOUT)

    def until(self, reached: Callable[[], bool], seconds: float) -> bool:
        """Wait until it is so. False = it was not, within those seconds."""
        deadline = clock() + seconds
        while not reached():
            if clock() > deadline:
                return False
            time.sleep(_PAUSE / 2)
        return True

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                answer = self._site.ask(self._token)
            except CanaryFailed as failed:
                self.problem = failed.detail
            else:
                self.answers.append(answer)
                if answer.standing == "live":
                    self.accepting.add(answer.worker)
                elif answer.standing in REFUSED:
                    self.refusing.add(answer.worker)
            self._over.wait(_PAUSE)
