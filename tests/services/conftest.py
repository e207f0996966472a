from __future__ import annotations

from tests.services.starting import start

__all__ = ["start"]
