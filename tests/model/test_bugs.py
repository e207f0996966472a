"""Each deliberate bug that is listed is found: the machine is worth its steps."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import Phase

import tests.model.longer_bugs  # noqa: F401  (lists its own beside the others)
from tests.model.bugs import BUGS
from tests.model.machines import ByAReplicaOfRedis
from tests.model.running import keeping_to, run

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

PATIENCE, EACH = 1000, 15
"""Steps after which a bug is not found, and from one beginning."""


def is_found(bug: str, patch: pytest.MonkeyPatch) -> None:
    """It is, by an assertion of the machine's, and not because the patch broke something."""
    machine, rules, plant = BUGS[bug]
    machine = keeping_to(machine, rules)
    plant(patch)
    with pytest.raises(AssertionError):
        run(machine, PATIENCE, EACH, derandomize=True, phases=[Phase.generate])
    print(f"{bug}: {machine.__name__}, {machine.steps.total()} steps")


@pytest.mark.parametrize(
    "bug", [bug for bug, (machine, *_) in BUGS.items() if machine is not ByAReplicaOfRedis]
)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    is_found(bug, monkeypatch)


@pytest.mark.redis
@pytest.mark.parametrize(
    "bug", [bug for bug, (machine, *_) in BUGS.items() if machine is ByAReplicaOfRedis]
)
def test_a_planted_bug_that_redis_brings_out_is_found(
    bug: str, monkeypatch: pytest.MonkeyPatch, cache_in_redis: Any
) -> None:
    ByAReplicaOfRedis.server = cache_in_redis
    is_found(bug, monkeypatch)
