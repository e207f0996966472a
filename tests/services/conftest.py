from __future__ import annotations

from tests.services.starting import redis, start

__all__ = ["redis", "start"]
