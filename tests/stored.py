"""Keys in the database, for tests: time that passes for them, and what happens elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from jwt_revoke import keystore
from jwt_revoke.models import SigningKey

TERMS = ("created_at", "not_before", "signs_until", "verifies_until", "compromised_at")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """``clock(seconds)``: time passes for this process's copy of the keys."""
    now = [1000.0]
    monkeypatch.setattr(keystore, "clock", lambda: now[0])

    def go_on(seconds: float) -> None:
        now[0] += seconds

    return go_on


def after(**delta: float) -> None:
    """Let that much time pass for the stored keys; every process has read them since."""
    passed = timedelta(**delta)
    SigningKey.objects.update(**{name: F(name) - passed for name in TERMS})
    keystore.forget_keys()


@contextmanager
def elsewhere() -> Iterator[None]:
    """What is done inside is done by another process: this one's copy of the keys stays."""
    before = keystore._keys
    yield
    keystore._keys = before


def signer() -> Any:
    """The key that signs by now, as the database has it."""
    keystore.forget_keys()
    return SigningKey.objects.filter(kid=keystore.key_ring().signing.kid).first()
