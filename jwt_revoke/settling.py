"""What the fingerprints of an account show: changes that no signal saw are recorded here.

Lock order, as everywhere: user, state, session.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from . import log
from .conf import conf
from .database import atomically, insert_missing, lock_rows
from .log import Cause
from .models import UserTokenState
from .revocation import revoke_user
from .standing import account_fingerprint, is_active, is_unsettled, password_fingerprint


def settle(using: str, user_pk: Any, *, created: bool = False) -> None:
    """Compare the account with its fingerprints, and record what changed as revocations.

    ``created``: the row is new under a key we know: its predecessor was deleted unseen.
    """
    users = get_user_model()._base_manager.using(using).filter(pk=user_pk)
    user = users.select_related("jwt_revoke_state").first()
    known = getattr(user, "jwt_revoke_state", None)
    if known is None or not (created or is_unsettled(user, known)):
        return
    with atomically(using):
        user = lock_rows(users).first()
        state = lock_rows(UserTokenState.objects.using(using)).filter(pk=user_pk).first()
        if user is None or state is None:
            return
        password, account = password_fingerprint(user.password), account_fingerprint(user)
        before = state.account_fingerprint
        changed = bool(state.password_fingerprint and state.password_fingerprint != password)
        events = {
            "deleted": created,
            "password_changed": changed,
            "suspended": before[:1] == "a" and not is_active(user),
            "role_changed": bool(before) and before[1:] != account[1:],
        }
        for event, happened in events.items():
            effect = conf.REVOKE_ON[event]
            if happened and effect:
                revoke_user(using, user_pk, Cause.of(event), effect)
        fingerprints = {"password_fingerprint": password, "account_fingerprint": account}
        moment = {"last_password_change": timezone.now()} if changed else {}
        UserTokenState.objects.using(using).filter(pk=user_pk).update(**fingerprints, **moment)


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
    """
    version = max(log.now_ms(), log.newest_version(using, user.pk) + 1)
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
