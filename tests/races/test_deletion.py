"""A user is deleted while everything else happens to them (invariant 6)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, connection, transaction

from jwt_revoke import api, maintenance, minting, receivers, revocation, rotation, sessions
from jwt_revoke.exceptions import SignInRefused, TokenRefused
from jwt_revoke.log import Cause
from jwt_revoke.minting import SignedIn
from jwt_revoke.testing import Device
from tests.conftest import PASSWORD, make_user
from tests.races.together import Pause, beside_open, is_busy, together
from tests.races.verdicts import assert_answered, assert_no_orphans, living, rounds

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]

several_writers = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite has one writer: nobody else can be under way"
)


class Gone(Exception):
    """The site's own save or read met a row that was deleted: no error of ours."""


def of_the_site(action: Callable[[], Any]) -> Any:
    """Django's word for a row that is gone, told from an error of the database's."""
    try:
        return action()
    except get_user_model().DoesNotExist as error:
        raise Gone from error
    except DatabaseError as error:
        if "did not affect any rows" in str(error):
            raise Gone from error
        raise


def save(user: Any, **fields: Any) -> None:
    """As another request does: its own copy of the row, saved."""

    def saved() -> None:
        found = get_user_model().objects.get(pk=user.pk)
        for name, value in fields.items():
            setattr(found, name, value)
        found.save(update_fields=list(fields))

    of_the_site(saved)


def log_out_everywhere_else(phone: Device) -> int:
    return phone.post("/api/auth/logout/all/", {"keep_current": True}).status_code


def change_password(phone: Device) -> int:
    body = {"old_password": PASSWORD, "new_password": "another password of theirs"}
    return phone.post("/api/auth/password/change/", body).status_code


def delete(user: Any) -> None:
    get_user_model().objects.get(pk=user.pk).delete()


def silent(_what: str, _count: int) -> None:
    """Progress that nobody looks at."""


ANSWERS = (int, bool, dict, SignedIn, TokenRefused, SignInRefused, Gone, type(None))
"""What the actions below may give beside a deletion; of the numbers, no 5xx of HTTP."""

Action = Callable[[Any, Device], Any]

ACTIONS: dict[str, Action] = {
    "sign-in": lambda user, phone: api.sign_in(user),
    "refresh": lambda user, phone: api.refresh(phone.refresh_token, phone._request()),
    "log-out": lambda user, phone: api.end_session(phone.session_id),
    "log out the others": lambda user, phone: log_out_everywhere_else(phone),
    "password change": lambda user, phone: change_password(phone),
    "reauthentication": lambda user, phone: (
        phone.post("/api/auth/reauthenticate/", {"password": PASSWORD}).status_code
    ),
    "role change": lambda user, phone: save(user, is_staff=True),
    "suspension": lambda user, phone: save(user, is_active=False),
    "revocation": lambda user, phone: api.revoke_user(user.pk),
    "bulk revocation": lambda user, phone: api.revoke_users(get_user_model().objects.all()),
    "new subject": lambda user, phone: api.renew_subject(user.pk),
    "prune": lambda user, phone: maintenance.prune("default", 10, silent),
    "reconcile": lambda user, phone: maintenance.reconcile("default", 10, silent),
}

STEPS: dict[str, tuple[str, Any, str]] = {
    "a sign-in that has read the account": ("sign-in", sessions, "_open"),
    "a refresh that has read the session": ("refresh", rotation, "mint"),
    "a refresh about to swap": ("refresh", rotation, "_rotate"),
    "a log-out": ("log-out", revocation, "revoke_session"),
    "a log-out of the others that was let in": ("log out the others", sessions, "_lock"),
    "a password change that was let in": ("password change", sessions, "atomically"),
    "a reauthentication": ("reauthentication", sessions, "session_facts"),
    "a reauthentication about to answer": ("reauthentication", sessions, "mint_access"),
    "a role change that was saved": ("role change", receivers, "settle"),
    "a suspension that was saved": ("suspension", receivers, "settle"),
    "a revocation": ("revocation", revocation, "_raise_version"),
    "a new subject": ("new subject", revocation, "revoke_user"),
    "a clean-up that has read a page": ("reconcile", maintenance, "persistently"),
}


def test_whatever_a_deletion_overtakes_does_not_outlive_it(transactional_db: Any) -> None:
    """Invariant 6: nothing that was under way lives on, or leaves a row of ours behind."""
    for step, (name, module, function) in STEPS.items():
        user = make_user(step)
        phone = Device(user)
        if name == "reconcile":
            get_user_model().objects.filter(pk=user.pk).update(is_staff=True)
        with pytest.MonkeyPatch.context() as patch:
            pause = Pause(patch).before(module, function)
            act = partial(ACTIONS[name], user, phone)
            answer, deleted = pause.race(act, partial(delete, user))
        assert deleted is None
        assert_answered([answer], *ANSWERS)
        assert not (type(answer) is int and 500 <= answer < 600) or is_busy(answer)
        assert living([answer]) == []
        assert phone.standing == "revoked"
        assert_no_orphans()


@several_writers
def test_a_sign_in_waits_for_a_deletion_that_is_under_way(user: Any) -> None:
    """It would add a session to those that were deleted, before the user is."""
    phone = Device(user)
    signed_in, overtook = beside_open(lambda: delete(user), lambda: api.sign_in(user))
    assert not overtook
    assert isinstance(signed_in, SignInRefused)
    assert phone.standing == "revoked"
    assert_no_orphans()


@several_writers
def test_a_sign_in_waits_for_a_deletion_that_has_removed_our_rows(user: Any) -> None:
    """The user's own row goes last: until then a session would find its owner."""
    Device(user)
    forget = partial(revocation.forget_user, "default", user.pk, Cause("deleted"))
    _, overtook = beside_open(forget, lambda: api.sign_in(user))
    assert not overtook


def test_a_first_sign_in_that_a_deletion_overtakes_leaves_no_state(user: Any, pause: Pause) -> None:
    """The state would be made for nobody, and found by ``reconcile`` at the earliest."""
    pause.before(minting, "ensure_state")
    signed_in, _ = pause.race(lambda: api.sign_in(user), lambda: delete(user))
    assert isinstance(signed_in, SignInRefused)
    assert_no_orphans()


def test_a_deletion_beside_everything_leaves_nothing(transactional_db: Any) -> None:
    """Invariants 1 and 6, freely: all that a user and a site can do, at once with it."""
    for turn in rounds(3):
        user = make_user(f"user{turn}")
        phone = Device(user)
        actions = [partial(action, user, phone) for action in ACTIONS.values()]
        *answers, deleted = together(*actions, partial(delete, user))
        if is_busy(deleted):
            delete(user)
        else:
            assert deleted is None
        assert_answered(answers, *ANSWERS)
        assert [a for a in answers if type(a) is int and 500 <= a < 600 and not is_busy(a)] == []
        assert living(answers) == []
        assert phone.standing == "revoked"
        assert_no_orphans()


@pytest.mark.parametrize("what", ["deletion", "save"])
def test_a_deletion_or_a_save_beside_bulk_revocations_meets_no_deadlock(
    transactional_db: Any, what: str
) -> None:
    """In the site's own transaction, where nothing can be tried again: the user comes first.

    At REPEATABLE READ MariaDB locks the users whom a bulk revocation copies into the log.
    """
    for turn in rounds(4):
        user = make_user(f"user{turn}")
        phone = Device(user)

        def suspend(user: Any = user) -> None:
            with transaction.atomic():
                save(user, is_active=False)

        act = partial(delete, user) if what == "deletion" else suspend
        bulk = partial(api.revoke_users, get_user_model().objects.all())
        *revoked, acted = together(bulk, bulk, act)
        assert acted is None or is_busy(acted)
        assert_answered(revoked, int)
        assert phone.standing == "revoked"
        assert_no_orphans()
