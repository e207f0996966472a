"""Another process of the site, which is asked what it lets in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tests.races.together import PATIENCE, ROOT, SETTINGS, _address


class Neighbour:
    """What another process answers, and what it cost there."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.strategies.worker"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": _address(), "DJANGO_SETTINGS_MODULE": SETTINGS},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def configure(self, settings: Any) -> None:
        """Let it follow as this process does."""
        configured = {name: getattr(settings, name) for name in ("JWT_REVOKE", "CACHES")}
        assert self._ask(configured) == "ready"

    def standing(self, token: str) -> str:
        """``live``, or the reason that the 401 of an ordinary view gives there."""
        self.said = self._ask(token)
        return str(self.said["standing"])

    @property
    def verified(self) -> int:
        """Signatures that were verified there so far."""
        return int(self.said["verified"])

    @property
    def fallbacks(self) -> int:
        """Checks that the database answered there for the replica."""
        return int(self.said["fallbacks"])

    def close(self) -> None:
        self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0

    def _ask(self, what: Any) -> Any:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())
