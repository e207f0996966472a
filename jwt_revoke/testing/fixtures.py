"""Fixtures for pytest: ``pytest_plugins = ["jwt_revoke.testing.fixtures"]``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from . import Device, collect_revocations


@pytest.fixture
def sign_in(db: None) -> type[Device]:
    """``sign_in(user, "phone")``: a client signed in on a device of its own."""
    return Device


@pytest.fixture
def revocations(db: None) -> Callable[[], AbstractContextManager[list[dict[str, Any]]]]:
    """``with revocations() as revoked:`` lists what is revoked inside, once it is left."""
    return collect_revocations
