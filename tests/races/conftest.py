from __future__ import annotations

from typing import Any

import pytest

from tests.races.together import Pause


@pytest.fixture
def pause(monkeypatch: pytest.MonkeyPatch) -> Pause:
    """Stops a thread at a step of ours while another one acts."""
    return Pause(monkeypatch)


@pytest.fixture
def user(transactional_db: Any, user: Any) -> Any:
    """Committed, so that other threads and processes see it."""
    return user
