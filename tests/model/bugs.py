"""Deliberate bugs, planted one at a time: each a way in which the package could be wrong.

``BUGS``: what is wrong → the machine that has to find it, the rules that it keeps to (so that a
hundred steps are enough), and the patch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from django.db.models import Q, Value

from jwt_revoke import (
    bulk,
    keystore,
    log,
    maintenance,
    minting,
    receivers,
    revocation,
    rotation,
    sessions,
    settling,
    standing,
    verification,
)
from jwt_revoke.backends import database
from jwt_revoke.backends.replica.backend import ReplicaBackend
from jwt_revoke.backends.replica.database_log import DatabaseLog
from jwt_revoke.backends.replica.queries import LogQueries
from jwt_revoke.backends.replica.state import ReplicaState
from jwt_revoke.backends.replica.stream import Stream, StreamLost
from jwt_revoke.conf import conf
from jwt_revoke.exceptions import TokenRefused, TokenStale
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.user_agents import user_agent
from tests.model.machines import ByAReplica, ByAReplicaOfRedis, ByNobody, ByTheDatabase
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


@bug(ByTheDatabase, "suspend_or_activate refresh")
def a_suspended_account_opens(patch: Patch) -> None:
    def require_account(facts: Any) -> None:
        if facts.password_fingerprint != standing.password_fingerprint(facts.user.password):
            raise TokenStale

    patch.setattr(standing, "require_account", require_account)


@bug(ByTheDatabase, "change_password refresh")
def another_password_opens(patch: Patch) -> None:
    def require_account(facts: Any) -> None:
        if not standing.is_active(facts.user):
            raise TokenStale

    patch.setattr(standing, "require_account", require_account)


@bug(ByNobody, "refresh two_refreshes_at_once")
def the_counter_stays(patch: Patch) -> None:
    def rotate(using: str, token: Any, now: Any, request: Any) -> bool:
        return DeviceSession.objects.filter(pk=token.session_id).exists()

    patch.setattr(rotation, "_rotate", rotate)


@bug(ByTheDatabase, "revoke_everyone sign_in")
def the_red_button_raises_no_floor(patch: Patch) -> None:
    everyone = revocation.revoke_everyone
    patch.setattr(
        revocation,
        "revoke_everyone",
        lambda using, cause, _effect: everyone(using, cause, "access"),
    )


@bug(ByTheDatabase, "delete create_again")
def whoever_is_created_again_is_taken_for_the_former(patch: Patch) -> None:
    settle = settling.settle

    def not_new(using: str, user_pk: Any, *, created: bool = False, actor: str = "") -> None:
        settle(using, user_pk, actor=actor)

    patch.setattr(receivers, "settle", not_new)


@bug(ByAReplica, "delete create_again sign_in clock_is_set")
def a_former_users_versions_are_given_again(patch: Patch) -> None:
    patch.setattr(log, "first_version", lambda _using, _key: log.now_ms())


@bug(ByTheDatabase, "revoke_user clock_is_set refresh")
def a_version_is_the_time_and_no_more(patch: Patch) -> None:
    """Two in one millisecond are the same; after a clock was stepped back it is older."""
    patch.setattr(revocation, "_next", lambda _column: Value(log.now_ms()))


@bug(ByTheDatabase, "deny clean_up refresh")
def pruning_takes_what_is_in_force(patch: Patch) -> None:
    def delete_log(*_args: Any) -> int:
        return Revocation.objects.all().delete()[0]

    patch.setattr(maintenance, "_delete_log", delete_log)


@bug(ByTheDatabase, "clean_up refresh")
def pruning_takes_sessions_that_live(patch: Patch) -> None:
    def over_since(_using: str, _moment: datetime) -> Any:
        return Q(opened_version__gt=0)

    patch.setattr(maintenance, "_over_since", over_since)


@bug(ByTheDatabase, "time_passes refresh")
def a_token_has_no_end(patch: Patch) -> None:
    of_header = verification.claims_of_header
    patch.setattr(
        verification, "claims_of_header", lambda text, **_: of_header(text, expired_too=True)
    )


@bug(ByTheDatabase, "rotate_keys retire_a_key refresh")
def a_key_that_retired_verifies_from_memory(patch: Patch) -> None:
    arranged = keystore._arranged

    def with_the_old_memory(copy: Any) -> Any:
        later = arranged(copy)
        if not copy.access.keys:
            return later
        return replace(later, verified=_either(copy.verified, later.verified))

    patch.setattr(keystore, "_arranged", with_the_old_memory)


def _either(first: Any, second: Any) -> Any:
    def verified(header: str) -> Any:
        try:
            return first(header)
        except TokenRefused:
            return second(header)

    return verified


@bug(ByTheDatabase, "a_key_leaks a_thief_signs refresh")
def a_mark_on_a_key_is_ignored(patch: Patch) -> None:
    rows = keystore._rows

    def unmarked() -> Any:
        generation, found = rows()
        for row in found:
            row.compromised_at = None
        return generation, found

    patch.setattr(keystore, "_rows", unmarked)


@bug(ByAReplica, "revoke_user refresh")
def a_replica_never_reads_again(patch: Patch) -> None:
    sync = ReplicaBackend._sync

    def once(self: Any, required: float) -> Any:
        return self._state if self._ready else sync(self, required)

    patch.setattr(ReplicaBackend, "_sync", once)


@bug(ByAReplica, "deny refresh")
def a_replica_passes_denied_tokens_over(patch: Patch) -> None:
    apply = ReplicaState.apply

    def some(self: Any, scope: str, *rest: Any) -> None:
        if scope != "token":
            apply(self, scope, *rest)

    patch.setattr(ReplicaState, "apply", some)


@bug(ByAReplica, "die_before_it_is_published sign_in")
def the_outbox_is_not_read(patch: Patch) -> None:
    page = DatabaseLog._page

    def numbered(self: Any, *args: Any) -> Any:
        entries, full = page(self, *args)
        return [entry for entry in entries if entry.sequence is not None], full

    patch.setattr(DatabaseLog, "_page", numbered)


@bug(ByAReplicaOfRedis, "cache_is_lost log_out sign_in")
def a_lost_stream_is_taken_for_a_quiet_one(patch: Patch) -> None:
    after = Stream.after

    def never_lost(self: Any, *args: Any) -> Any:
        try:
            return after(self, *args)
        except StreamLost:
            return []

    patch.setattr(Stream, "after", never_lost)
