"""Another process of the site, which is asked what it lets in."""

from __future__ import annotations

from typing import Any

from tests.races.together import Worker


class Neighbour(Worker):
    """What another process answers, and what it cost there."""

    module = "tests.strategies.worker"

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

    def _ask(self, what: Any) -> Any:
        self.write(what)
        return self.read()
