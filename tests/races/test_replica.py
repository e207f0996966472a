"""Races as a process sees them that asks no database, but follows the log (invariant 1)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection

from jwt_revoke import api, rotation, sessions
from jwt_revoke.exceptions import SignInRefused, TokenRefused
from jwt_revoke.minting import SignedIn
from jwt_revoke.testing import Device
from jwt_revoke.verification import verified_claims
from tests.backends.replica.conftest import replica
from tests.backends.replica.following import check_by_copy
from tests.conftest import make_user
from tests.races.together import Pause, beside_open, is_busy, together
from tests.races.verdicts import assert_answered, rounds

__all__ = ["replica"]

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]


def save(user: Any, **fields: Any) -> None:
    found = get_user_model().objects.get(pk=user.pk)
    for name, value in fields.items():
        setattr(found, name, value)
    found.save()


ENDS: dict[str, Callable[[Any, Device], Any]] = {
    "log-out": lambda user, phone: api.end_session(phone.session_id),
    "log-out everywhere": lambda user, phone: api.revoke_user(user.pk),
    "password change": lambda user, phone: save(user, password="md5$salt$another"),
    "suspension": lambda user, phone: save(user, is_active=False),
}


def refresh_of(phone: Device) -> Callable[[], SignedIn]:
    return partial(api.refresh, phone.refresh_token, phone._request())


@pytest.fixture(autouse=True)
def _strict_replica(user: Any, replica: Callable[..., Any]) -> None:
    replica(max_staleness=0, log="database")


def let_in(answers: list[Any]) -> list[SignedIn]:
    """The answers of a race whose access token the copy would let in."""
    found = []
    for answer in answers:
        if isinstance(answer, SignedIn):
            try:
                check_by_copy(verified_claims(answer.access))
            except TokenRefused:
                continue
            found.append(answer)
    return found


def test_a_refresh_that_an_end_overtakes_is_not_let_in_by_the_copy(user: Any) -> None:
    """Before the swap and after it: the copy has no counter and no fingerprint to go by."""
    for how, end in ENDS.items():
        for side in ("before", "after"):
            account = make_user(f"{side} {how}")
            phone = Device(account)
            with pytest.MonkeyPatch.context() as patch:
                pause = Pause(patch)
                getattr(pause, side)(rotation, "_rotate")
                refreshed, _ = pause.race(refresh_of(phone), partial(end, account, phone))
            assert_answered([refreshed], SignedIn, TokenRefused)
            assert let_in([refreshed]) == []


def test_a_sign_in_that_an_end_overtakes_is_not_let_in_by_the_copy(user: Any) -> None:
    """It has the version from before, which the log has put below the floor."""
    for how in ("log-out everywhere", "password change", "suspension"):
        account = make_user(how)
        phone = Device(account)
        with pytest.MonkeyPatch.context() as patch:
            pause = Pause(patch).after(sessions, "settled_account")
            signed_in, _ = pause.race(
                partial(api.sign_in, account), partial(ENDS[how], account, phone)
            )
        assert_answered([signed_in], SignedIn, SignInRefused)
        assert let_in([signed_in]) == []


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_a_first_sign_in_beside_a_suspension_under_way_is_not_let_in_by_the_copy(user: Any) -> None:
    """What is not in the log does not exist for it, until the token expires."""
    signed_in, _ = beside_open(lambda: save(user, is_active=False), lambda: api.sign_in(user))
    assert_answered([signed_in], SignInRefused)


def test_refreshes_beside_an_end_are_not_let_in_by_the_copy_once_it_returned(user: Any) -> None:
    """Freely, four of them."""
    for turn in rounds(2):
        for how, end in ENDS.items():
            account = make_user(f"{how} {turn}")
            phone = Device(account)
            act = partial(end, account, phone)
            *answers, ended = together(*[refresh_of(phone)] * 4, act)
            if is_busy(ended):
                act()
            else:
                assert not isinstance(ended, Exception)
            assert_answered(answers, SignedIn, TokenRefused)
            assert let_in(answers) == []
