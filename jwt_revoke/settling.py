"""What the fingerprints of an account show: changes that no signal saw are recorded here.

Lock order, as everywhere: user, state, session.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.utils import timezone

from . import log
from .bulk import revoke_users
from .conf import conf
from .database import as_now, atomically, insert_missing, lock_rows
from .log import Cause
from .models import UserTokenState
from .revocation import revoke_user
from .standing import (
    account_fingerprint,
    is_active,
    is_recorded,
    is_unsettled,
    password_fingerprint,
)

_SETTLED: Final = ("password_fingerprint", "account_fingerprint", "last_password_change")


def settle(using: str, user_pk: Any, *, created: bool = False, actor: str = "") -> None:
    """Compare the account with its fingerprints, and record what changed as revocations.

    ``created``: the row is new under a key we know: its predecessor was deleted unseen.
    ``actor``: who saved the row. Whoever's request merely found the change is not to be named.
    """
    users = get_user_model()._base_manager.using(using).filter(pk=user_pk)
    # In the transaction of a save: a first sign-in since that began has made a state, and a role
    # that was given since may be the one that is taken here.
    user = as_now(users.select_related("jwt_revoke_state")).first()
    known = getattr(user, "jwt_revoke_state", None)
    if known is None or not (created or is_unsettled(user, known)):
        return
    with atomically(using):
        user = lock_rows(users).first()
        state = lock_rows(UserTokenState.objects.using(using)).filter(pk=user_pk).first()
        if user is None or state is None:
            return
        for event in _changes(user, state, created=created):
            effect = conf.REVOKE_ON[event]
            if effect:
                revoke_user(using, user_pk, Cause(event, actor), effect)
        _take_fingerprints(state, user)
        settled = {name: getattr(state, name) for name in _SETTLED}
        if created:
            settled["subject"] = uuid4()  # somebody else: not by the former one's opaque id
        # Not save(): the version was raised beneath this instance.
        UserTokenState.objects.using(using).filter(pk=user_pk).update(**settled)


def settle_each(using: str, keys: Collection[Any]) -> int:
    """``settle`` for many accounts, set-based; how many had changed."""
    users = get_user_model()._base_manager.using(using).filter(pk__in=keys)
    states = UserTokenState.objects.using(using).filter(pk__in=keys)
    found: dict[str, list[Any]] = {}
    with atomically(using):
        accounts = {user.pk: user for user in lock_rows(users).order_by("pk")}
        unsettled = [
            state
            for state in lock_rows(states).order_by("pk")
            if state.pk in accounts and is_unsettled(accounts[state.pk], state)
        ]
        for state in unsettled:
            for event in _changes(accounts[state.pk], state):
                found.setdefault(event, []).append(state.pk)
            _take_fingerprints(state, accounts[state.pk])
        for event, changed in found.items():
            effect = conf.REVOKE_ON[event]
            if effect:
                revoke_users(using, users.filter(pk__in=changed), Cause(event), effect)
        UserTokenState.objects.using(using).bulk_update(unsettled, _SETTLED)
    return len(unsettled)


def _changes(user: Any, state: UserTokenState, *, created: bool = False) -> list[str]:
    """The events by which the account came to differ from what was recorded of it."""
    before, now = state.account_fingerprint, account_fingerprint(user)
    known = state.password_fingerprint
    events = {
        "deleted": created,
        "password_changed": bool(known) and not is_recorded(user.password, known),
        "suspended": before[:1] == "a" and not is_active(user),
        "role_changed": bool(before) and before[1:] != now[1:],
    }
    return [event for event, happened in events.items() if happened]


def _take_fingerprints(state: UserTokenState, user: Any) -> None:
    known = state.password_fingerprint
    if known and not is_recorded(user.password, known):
        state.last_password_change = timezone.now()
    state.password_fingerprint = password_fingerprint(user.password)
    state.account_fingerprint = account_fingerprint(user)


def adopt_hash(using: str, user: Any, old: str) -> bool:
    """Take a hasher upgrade of ``user.password`` (its hash was ``old``) for what it is.

    Called in the transaction that saves the row. False when the row holds another hash by now:
    a password that was changed meanwhile must not be overwritten by the old one's new hash.
    """
    rows = get_user_model()._base_manager.using(using).filter(pk=user.pk, password=old)
    if not lock_rows(rows).exists():
        return False
    UserTokenState.objects.using(using).filter(
        pk=user.pk, password_fingerprint=password_fingerprint(old)
    ).update(password_fingerprint=password_fingerprint(user.password))
    return True


def ensure_state(using: str, user: Any) -> None:
    """Make the user's state row unless it exists.

    Its version is above whatever the log holds for the key, and so is its floor: a token or a
    session of a former user of that key is dead (invariant 6).

    The user is locked, and recorded as they stand now. Whose save found no state has recorded
    nothing; its transaction, if it is still open, is waited for, and what it changed is in what is
    read next. Of a user who is deleted meanwhile nothing is made.
    """
    with atomically(using):
        user = lock_rows(get_user_model()._base_manager.using(using).filter(pk=user.pk)).first()
        if user is None:
            return
        version = log.first_version(using, user.pk)
        insert_missing(
            using,
            UserTokenState(
                user_id=user.pk,
                version=version,
                session_floor=version,
                password_fingerprint=password_fingerprint(user.password),
                account_fingerprint=account_fingerprint(user),
            ),
        )
