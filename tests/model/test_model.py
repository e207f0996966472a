"""Users and devices at random, beside a simple model of what must be accepted.

JWT_REVOKE_MODEL_STEPS  how many steps, shared among the backends: 2,000 by default, 50,000 at night
JWT_REVOKE_MODEL_SEED   "random" (at night): other steps each time. By default they are the same
                        ones each time, so that a change of ours fails and not a stroke of luck.

    JWT_REVOKE_MODEL_STEPS=50000 JWT_REVOKE_MODEL_SEED=random pytest -s tests/model/test_model.py

Printed are the steps by rule (``-s``); a rule that found nothing to act on is not counted. What
fails is made as short as it can be, and printed as the calls that lead there.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import Phase

from tests.model.machines import ByAReplica, ByAReplicaOfRedis, ByNobody, ByTheDatabase
from tests.model.running import run
from tests.model.world import World

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]

STEPS = int(os.environ.get("JWT_REVOKE_MODEL_STEPS", "2000"))
DETERMINED = os.environ.get("JWT_REVOKE_MODEL_SEED", "") != "random"
SHARES = {ByTheDatabase: 0.4, ByAReplica: 0.25, ByAReplicaOfRedis: 0.2, ByNobody: 0.15}


def nothing_is_found(machine: type[World]) -> None:
    steps = STEPS * SHARES[machine]
    counts = run(machine, steps, derandomize=DETERMINED, phases=[Phase.generate, Phase.shrink])
    print(f"\n{machine.__name__}: {counts.total():,} steps")
    for rule, count in counts.most_common():
        print(f"  {count:7,} {rule}")
    assert counts.total() >= steps


@pytest.mark.parametrize("machine", [ByTheDatabase, ByAReplica, ByNobody])
def test_what_must_be_accepted_is_and_nothing_else(machine: type[World]) -> None:
    """Invariants 1, 3, 5, 6."""
    nothing_is_found(machine)


@pytest.mark.redis
def test_what_must_be_accepted_is_whatever_redis_loses(cache_in_redis: Any) -> None:
    """Invariant 3."""
    ByAReplicaOfRedis.server = cache_in_redis
    nothing_is_found(ByAReplicaOfRedis)
