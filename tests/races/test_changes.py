"""An account changes while it signs in or refreshes: saved, or by SQL that no signal sees."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jwt
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group

from jwt_revoke import api, rotation, sessions
from jwt_revoke.exceptions import SignInRefused, TokenRefused
from jwt_revoke.minting import SignedIn
from jwt_revoke.testing import Device
from tests.conftest import make_user
from tests.races.together import Pause, is_busy, together
from tests.races.verdicts import assert_answered, assert_no_orphans, living, rounds

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]

NEW_HASH = "md5$salt$another"


def save(user: Any, **fields: Any) -> None:
    """As another request does: its own copy of the row."""
    found = get_user_model().objects.get(pk=user.pk)
    for name, value in fields.items():
        setattr(found, name, value)
    found.save()


def update(user: Any, **fields: Any) -> None:
    """No signal is sent, and nothing is recorded."""
    get_user_model().objects.filter(pk=user.pk).update(**fields)


def join(user: Any) -> None:
    get_user_model().objects.get(pk=user.pk).groups.add(Group.objects.get_or_create(name="e")[0])


CHANGES: dict[str, Callable[[Any], None]] = {
    "password change": partial(save, password=NEW_HASH),
    "password change by SQL": partial(update, password=NEW_HASH),
    "suspension": partial(save, is_active=False),
    "suspension by SQL": partial(update, is_active=False),
    "role change": partial(save, is_staff=True),
    "new group": join,
}
ROLES = {"role change", "new group"}
"""Of these the session survives: the client refreshes, to the new claims."""

STEPS: dict[str, dict[str, tuple[str, Any, str]]] = {
    "sign-in": {
        "has read the account": ("after", sessions, "settled_account"),
        "is done": ("after", sessions, "_open"),
    },
    "refresh": {
        "has read the session": ("before", rotation, "mint"),
        "is about to swap": ("before", rotation, "_rotate"),
        "has swapped": ("after", rotation, "_rotate"),
    },
}


def claims_of_staff(user: Any, session: Any) -> dict[str, Any]:
    return {"staff": user.is_staff, "groups": user.groups.count()}


def action(name: str, user: Any, phone: Device) -> Callable[[], Any]:
    if name == "sign-in":
        return lambda: api.sign_in(user)
    return partial(api.refresh, phone.refresh_token, phone._request())


def judge(user: Any, answers: list[Any], change: str) -> None:
    """None lives on; or, where only the role changed, none that says the old one."""
    assert_answered(answers, SignedIn, SignInRefused, TokenRefused)
    assert_no_orphans()
    if change not in ROLES:
        assert living(answers) == []
        return
    now = claims_of_staff(get_user_model().objects.get(pk=user.pk), None)
    signed_in = [answer for answer in answers if isinstance(answer, SignedIn)]
    for answer in signed_in:
        if not api.is_revoked(answer.access):
            said = jwt.decode(answer.access, options={"verify_signature": False})
            assert {name: said[name] for name in now} == now
    for refreshed in {answer.refresh: answer for answer in signed_in}.values():
        assert not api.is_revoked(api.refresh(refreshed.refresh).access)


@pytest.fixture(autouse=True)
def _roles_in_the_claims(settings: Any) -> None:
    path = "tests.races.test_changes.claims_of_staff"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "CLAIMS": path}


@pytest.mark.parametrize("change", CHANGES)
def test_a_sign_in_and_a_refresh_overtaken_by_a(transactional_db: Any, change: str) -> None:
    """Invariants 1 and 5, at each step: what was read before the change is not survived by it."""
    for what, steps in STEPS.items():
        for step, (side, module, function) in steps.items():
            user = make_user(f"{what} that {step}")
            phone = Device(user)
            with pytest.MonkeyPatch.context() as patch:
                pause = Pause(patch)
                getattr(pause, side)(module, function)
                answer, _ = pause.race(action(what, user, phone), partial(CHANGES[change], user))
            judge(user, [answer], change)


@pytest.mark.parametrize("change", CHANGES)
def test_sign_ins_and_refreshes_beside_a(transactional_db: Any, change: str) -> None:
    """The same freely: two of each, and the change somewhere between."""
    for turn in rounds(2):
        user = make_user(f"user{turn}")
        phone = Device(user)
        act = partial(CHANGES[change], user)
        actions = [action(what, user, phone) for what in STEPS] * 2
        *answers, changed = together(*actions, act)
        if is_busy(changed):
            act()
        else:
            assert changed is None
        judge(user, answers, change)


def test_a_sign_in_by_the_new_password_ends_what_the_old_one_opened(user: Any) -> None:
    """SQL changed it; the sign-in that sees it first records it, also for who comes later."""
    with pytest.MonkeyPatch.context() as patch:
        pause = Pause(patch).after(sessions, "settled_account")

        def meanwhile() -> SignedIn:
            update(user, password=NEW_HASH)
            return api.sign_in(get_user_model().objects.get(pk=user.pk))

        old, new = pause.race(lambda: api.sign_in(user), meanwhile)
    assert living([old]) == []
    assert not api.is_revoked(new.access)
