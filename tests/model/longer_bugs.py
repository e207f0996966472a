"""Deliberate bugs that take more than a line, planted one at a time: see ``bugs.py``."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Q, Value

from jwt_revoke import (
    keystore,
    log,
    maintenance,
    receivers,
    revocation,
    rotation,
    settling,
    standing,
    verification,
)
from jwt_revoke.backends.replica.backend import ReplicaBackend
from jwt_revoke.backends.replica.database_log import DatabaseLog
from jwt_revoke.backends.replica.state import ReplicaState
from jwt_revoke.backends.replica.stream import Stream, StreamLost
from jwt_revoke.exceptions import TokenRefused, TokenStale
from jwt_revoke.models import DeviceSession, Revocation
from tests.model.bugs import Patch, bug
from tests.model.machines import ByAReplica, ByAReplicaOfRedis, ByNobody, ByTheDatabase


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
