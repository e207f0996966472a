"""The first sign-in of a user, while the account changes: there is no version yet to be raised."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, transaction

from jwt_revoke import api, minting
from jwt_revoke.exceptions import SignInRefused
from jwt_revoke.minting import SignedIn
from jwt_revoke.models import Revocation, UserTokenState
from jwt_revoke.standing import is_unsettled
from tests.conftest import make_user
from tests.races.together import Pause, beside_open, is_busy, together
from tests.races.verdicts import assert_answered, assert_no_orphans, living, rounds

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]

several_writers = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite has one writer: nobody else can be under way"
)

CHANGES: dict[str, dict[str, Any]] = {
    "suspended": {"is_active": False},
    "password changed": {"password": "md5$salt$another"},
    "role changed": {"is_staff": True},
}


def again(user: Any) -> Any:
    """The same row as another request has read it."""
    return get_user_model().objects.get(pk=user.pk)


def change(user: Any, what: str) -> None:
    found = again(user)
    for name, value in CHANGES[what].items():
        setattr(found, name, value)
    found.save(update_fields=list(CHANGES[what]))


@contextlib.contextmanager
def refused_by_snapshot_isolation() -> Iterator[None]:
    """There the database itself refuses a save after somebody else's: nothing was changed."""
    try:
        yield
    except OperationalError as error:
        if not is_busy(error):
            raise


def assert_recorded(user: Any) -> None:
    """No difference between the account and its fingerprints is left, that nobody logged."""
    state = UserTokenState.objects.filter(pk=user.pk).first()
    assert state is None or not is_unsettled(again(user), state)


@several_writers
@pytest.mark.parametrize("what", CHANGES)
def test_a_change_that_is_under_way_is_waited_for(user: Any, what: str) -> None:
    """Invariant 1: its save has found no state and logged nothing, and commits later.

    A replica would never learn of it; and a role among the claims is compared with nothing until
    the next refresh.
    """
    signed_in, overtook = beside_open(partial(change, user, what), lambda: api.sign_in(user))
    assert not overtook
    if what == "role changed":
        assert isinstance(signed_in, SignedIn) or is_busy(signed_in)
    else:
        assert isinstance(signed_in, SignInRefused) or is_busy(signed_in)
    assert_recorded(user)


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_that_falls_into_it_is_not_survived(transactional_db: Any, what: str) -> None:
    """Invariant 1: whether it finds the state or not, the token is of the account as changed."""
    for step in ("_account", "ensure_state"):
        user = make_user(step)
        with pytest.MonkeyPatch.context() as patch:
            pause = Pause(patch).after(minting, step)
            signed_in, _ = pause.race(partial(api.sign_in, user), partial(change, user, what))
        if what == "role changed":
            assert isinstance(signed_in, SignedIn)
        else:
            assert isinstance(signed_in, SignInRefused) or living([signed_in]) == []


def test_a_suspension_before_the_state_is_made_is_no_suspension_later(
    user: Any, pause: Pause
) -> None:
    """The state records the account as it stands then, not as the sign-in had read it."""
    pause.before(minting, "ensure_state")
    pause.race(lambda: api.sign_in(user), partial(change, user, "suspended"))
    assert_recorded(user)
    assert not Revocation.objects.exists()


def test_a_hasher_upgrade_before_the_state_is_made_is_no_password_change(
    user: Any, pause: Pause, settings: Any
) -> None:
    """Of two first sign-ins the one upgrades the hash: the other must not log it out."""
    pause.before(minting, "ensure_state")
    reader = again(user)

    def upgrade() -> SignedIn:
        settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[::-1]
        mine = again(user)
        assert mine.check_password("correct horse battery staple")
        return api.sign_in(mine)

    _, signed_in = pause.race(lambda: api.sign_in(reader), upgrade)
    assert_recorded(user)
    assert not api.is_revoked(signed_in.access)


@several_writers
def test_a_save_that_has_read_before_it_ends_it(user: Any) -> None:
    """Invariant 1, under REPEATABLE READ: what the save's transaction sees has no state yet."""
    with refused_by_snapshot_isolation(), transaction.atomic():
        found = again(user)
        (signed_in,) = together(lambda: api.sign_in(user))
        found.is_active = False
        found.save()
    if again(user).is_active:
        return
    assert Revocation.objects.filter(reason="suspended").count() == 1
    assert living([signed_in]) == []


@several_writers
def test_a_save_that_writes_back_what_it_had_read_ends_what_came_between(user: Any) -> None:
    """Invariant 1, under REPEATABLE READ: a role given and taken again, the taking by a stale copy.

    By its snapshot the save changes nothing; the token with the role in its claims must die.
    """
    api.sign_in(user)
    with refused_by_snapshot_isolation(), transaction.atomic():
        stale = again(user)
        UserTokenState.objects.get(pk=user.pk)

        def promote() -> SignedIn:
            change(user, "role changed")
            return api.sign_in(again(user))

        (promoted,) = together(promote)
        stale.save()
    if again(user).is_staff:
        return
    assert api.is_revoked(promoted.access)


def test_first_sign_ins_beside_a_change_leave_nothing_of_before_alive(
    transactional_db: Any,
) -> None:
    """Invariant 1, freely: whatever lives is of the account as it was changed to."""
    for turn in rounds(3):
        for what in CHANGES:
            user = make_user(f"{what} {turn}")
            act = partial(change, user, what)
            *answers, changed = together(*[partial(api.sign_in, user)] * 3, act)
            if is_busy(changed):
                act()
            else:
                assert changed is None
            assert_answered(answers, SignedIn, SignInRefused)
            if what != "role changed":
                assert living(answers) == []
            assert_no_orphans()
            assert_recorded(user)
