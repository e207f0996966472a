"""Fixtures for pytest: ``pytest_plugins = ["jwt_revoke.testing.fixtures"]``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from . import Device, collect_revocations


@pytest.fixture
def sign_in(db: None) -> type[Device]:
    """``sign_in(user, "phone")``: a client signed in on a device of its own."""
    return Device


@pytest.fixture
def revocations(db: None) -> Iterator[list[dict[str, Any]]]:
    """The ``revoked`` signals of this test, sent as if each had been committed at once."""
    with collect_revocations() as seen:
        yield seen
