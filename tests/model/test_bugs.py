"""Each deliberate bug of ``bugs.py`` is found: the machine is worth its steps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase

from tests.model.bugs import BUGS
from tests.model.machines import ByAReplicaOfRedis
from tests.model.running import run

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

PATIENCE = 4000
"""Steps after which a bug is not found."""


def is_found(bug: str, patch: pytest.MonkeyPatch) -> None:
    machine, plant = BUGS[bug]
    with patch.context() as planted, pytest.raises(AssertionError):
        plant(planted)
        run(machine, PATIENCE, derandomize=True, phases=[Phase.generate])
    print(f"{bug}: {machine.__name__}, {machine.steps.total()} steps")


@pytest.mark.parametrize(
    "bug", [bug for bug, (machine, _plant) in BUGS.items() if machine is not ByAReplicaOfRedis]
)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    is_found(bug, monkeypatch)


@pytest.mark.redis
@pytest.mark.parametrize(
    "bug", [bug for bug, (machine, _plant) in BUGS.items() if machine is ByAReplicaOfRedis]
)
def test_a_planted_bug_that_redis_brings_out_is_found(
    bug: str, monkeypatch: pytest.MonkeyPatch, cache_in_redis: Any
) -> None:
    ByAReplicaOfRedis.server = cache_in_redis
    is_found(bug, monkeypatch)
