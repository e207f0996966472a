"""Deliberate bugs, planted one at a time: each a way in which the package could be wrong.

``BUGS``: what is wrong → the machine that has to find it, the rules that it keeps to (so that a
hundred steps are enough), and the patch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jwt_revoke import (
    bulk,
    maintenance,
    minting,
    receivers,
    rotation,
    sessions,
    standing,
)
from jwt_revoke.backends import database
from jwt_revoke.backends.replica.database_log import DatabaseLog
from jwt_revoke.backends.replica.queries import LogQueries
from jwt_revoke.conf import conf
from jwt_revoke.user_agents import user_agent
from tests.model.machines import ByAReplica, ByNobody, ByTheDatabase
from tests.model.world import World

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]
BUGS: dict[str, tuple[type[World], str, Plant]] = {}


def bug(machine: type[World], rules: str) -> Callable[[Plant], Plant]:
    def listed(plant: Plant) -> Plant:
        BUGS[plant.__name__.replace("_", " ")] = machine, rules, plant
        return plant

    return listed


def passed_over(module: Any, name: str, *, returns: Any = None) -> Callable[[Patch], None]:
    return lambda patch: patch.setattr(module, name, lambda *_a, **_k: returns)


def judged_with(**facts: Callable[[Any, Any], Any]) -> Callable[[Patch], None]:
    """Facts are replaced before a token is judged by them."""

    def plant(patch: Patch) -> None:
        judge = database.judge

        def by_others(claims: Any, found: Any, now: Any) -> None:
            changes = {name: value(claims, found) for name, value in facts.items()}
            judge(claims, found._replace(**changes), now)

        patch.setattr(database, "judge", by_others)

    return plant


def granted_if(rule: Callable[..., bool]) -> Callable[[Patch], None]:
    """Another rule for the grace: of token, session, now and request."""
    return lambda patch: patch.setattr(rotation, "_in_grace", rule)


def _previous(token: Any, session: Any) -> bool:
    return bool(token.counter == session.refresh_counter - 1)


def _recent(session: Any, now: Any) -> bool:
    return abs(now - session.rotated_at) < conf.REFRESH_GRACE


def _same_agent(session: Any, request: Any) -> bool:
    return user_agent(request) == session.user_agent


BUGS |= {
    "the end of a session is ignored": (
        ByTheDatabase,
        "log_out refresh",
        passed_over(standing, "require_session"),
    ),
    "a dead session is refreshed": (
        ByNobody,
        "revoke_everyone refresh",
        passed_over(minting, "require_session"),
    ),
    "the version is not compared": (
        ByTheDatabase,
        "revoke_user refresh",
        judged_with(version=lambda claims, _facts: claims.ver),
    ),
    "the generation is not compared": (
        ByTheDatabase,
        "revoke_everyone refresh",
        judged_with(generation=lambda claims, _facts: claims.gen),
    ),
    "the denylist is ignored": (
        ByTheDatabase,
        "deny refresh",
        judged_with(denied=lambda _claims, _facts: False),
    ),
    "the grace never ends": (
        ByNobody,
        "replay time_passes",
        granted_if(
            lambda token, session, now, request: (
                _previous(token, session) and _same_agent(session, request)
            )
        ),
    ),
    "another client gets the successor": (
        ByNobody,
        "replay refresh",
        granted_if(
            lambda token, session, now, request: _previous(token, session) and _recent(session, now)
        ),
    ),
    "any ancestor gets the successor": (
        ByNobody,
        "replay refresh",
        granted_if(
            lambda token, session, now, request: (
                _recent(session, now) and _same_agent(session, request)
            )
        ),
    ),
    "a replay ends nothing": (ByNobody, "replay refresh", passed_over(rotation, "_end_reused")),
    "a former password opens a session": (
        ByNobody,
        "sign_in_by_a_former_password sign_in",
        passed_over(sessions, "_require_same_password"),
    ),
    "there may be any number of sessions": (
        ByTheDatabase,
        "sign_in",
        passed_over(sessions, "_make_room"),
    ),
    "a save records nothing": (
        ByTheDatabase,
        "change_password suspend_or_activate change_role",
        passed_over(receivers, "settle"),
    ),
    "a refresh records nothing": (
        ByTheDatabase,
        "change_password refresh",
        passed_over(minting, "settle"),
    ),
    "reconcile records nothing": (
        ByTheDatabase,
        "change_password change_role look_for_the_unseen",
        passed_over(maintenance, "settle_each", returns=0),
    ),
    "reconcile leaves the deleted": (
        ByAReplica,
        "delete look_for_the_unseen",
        passed_over(maintenance, "forget_user"),
    ),
    "a deletion revokes nothing": (
        ByAReplica,
        "delete sign_in",
        passed_over(receivers, "forget_user"),
    ),
    "a bulk revocation leaves the session rows": (
        ByNobody,
        "end_several refresh",
        passed_over(bulk, "_mark_ended"),
    ),
    "a loaded batch is empty": (
        ByAReplica,
        "revoke_users end_several sign_in",
        passed_over(DatabaseLog, "_take_in_batch"),
    ),
    "what is in force is not loaded": (
        ByAReplica,
        "revoke_user log_out memory_is_lost",
        passed_over(LogQueries, "in_force", returns=()),
    ),
}
