"""A user to measure with, committed: a server of its own reads the same database."""

from __future__ import annotations

from typing import Any

import pytest

from jwt_revoke.canary import asking, measuring


@pytest.fixture
def user(transactional_db: Any, user: Any) -> Any:
    return user


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for nobody longer than a test has to show."""
    for name, seconds in [
        ("_LOADING", 0.05),
        ("_NOBODY_NEW", 0.2),
        ("_FIND_WITHIN", 1.0),
        ("_PATIENCE", 0.6),
        ("_HOPELESS", 0.3),
    ]:
        monkeypatch.setattr(measuring, name, seconds)
    monkeypatch.setattr(asking, "_TIMEOUT", 1.0)
