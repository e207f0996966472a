from __future__ import annotations

from pathlib import Path

import pytest

from tests.services.starting import redis, start

__all__ = ["redis", "start"]

PURE = ("test_intervals",)
"""Of functions alone: no process, no second."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem not in PURE:
            item.add_marker(pytest.mark.faults)
