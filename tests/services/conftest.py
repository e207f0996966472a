from __future__ import annotations

import pytest

from tests.services.starting import start

__all__ = ["start"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults: servers that fail")
