"""Signing in while something ends it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from rest_framework.test import APIClient

from jwt_revoke import api, minting, receivers, sessions
from jwt_revoke.exceptions import SignInRefused
from jwt_revoke.minting import SignedIn
from jwt_revoke.models import DeviceSession, UserTokenState
from jwt_revoke.standing import live_sessions
from jwt_revoke.testing import Device
from tests.conftest import PASSWORD, make_user
from tests.races.together import Pause, is_busy, is_dead, together, workers

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]

CREDENTIALS = {"username": "alice", "password": PASSWORD}


class QuickHasher(PBKDF2PasswordHasher):
    """To be upgraded to, where the time that a hash takes is of no account."""

    algorithm, iterations = "quick", 1


def again(user: Any) -> Any:
    """The same row as another request has read it."""
    return get_user_model().objects.get(pk=user.pk)


def new_password(user: Any) -> None:
    other = again(user)
    other.set_password("another password")
    other.save()


def limit(settings: Any, **values: Any) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, **values}


def test_a_sign_in_overtaken_by_log_out_everywhere_is_born_dead(user: Any, pause: Pause) -> None:
    """Invariant 1: it read the version before the revocation, and opened the session after."""
    pause.after(sessions, "settled_account")
    signed_in, _ = pause.race(lambda: api.sign_in(user), lambda: api.revoke_user(user))
    assert is_dead(signed_in)


def test_a_sign_in_overtaken_by_a_bulk_revocation_is_born_dead(user: Any, pause: Pause) -> None:
    """Invariant 1, set-based."""
    pause.after(sessions, "settled_account")
    everyone = get_user_model().objects.all()
    signed_in, _ = pause.race(lambda: api.sign_in(user), lambda: api.revoke_users(everyone))
    assert is_dead(signed_in)


def test_a_sign_in_overtaken_by_the_red_button_is_born_dead(user: Any, pause: Pause) -> None:
    """Invariant 1, by the generation."""
    pause.after(sessions, "settled_account")
    signed_in, _ = pause.race(lambda: api.sign_in(user), api.revoke_everyone)
    assert is_dead(signed_in)


def test_a_sign_in_overtaken_by_a_password_change_is_born_dead(user: Any, pause: Pause) -> None:
    """Invariant 1: the old password opened it, and the change had returned."""
    pause.after(sessions, "settled_account")
    signed_in, _ = pause.race(lambda: api.sign_in(user), lambda: new_password(user))
    assert is_dead(signed_in)


def test_a_password_verified_before_it_changed_opens_nothing(user: Any, pause: Pause) -> None:
    """The hash in the one read must be the very hash that was verified."""
    pause.before(sessions, "settled_account")
    signed_in, _ = pause.race(lambda: api.sign_in(user), lambda: new_password(user))
    assert isinstance(signed_in, SignInRefused)


def test_a_suspension_by_update_during_a_sign_in_refuses_its_token(user: Any, pause: Pause) -> None:
    """Without a signal nothing ended the session; the next request sees the column."""
    pause.after(sessions, "settled_account")
    rows = get_user_model().objects.filter(pk=user.pk)
    signed_in, _ = pause.race(lambda: api.sign_in(user), lambda: rows.update(is_active=False))
    assert is_dead(signed_in)


def test_sign_ins_beside_log_out_everywhere_are_dead_or_newer(user: Any) -> None:
    """Invariant 1: a token lives only if its session was opened at or above the floor."""
    for _ in range(5):
        *answers, version = together(
            *[lambda: api.sign_in(user)] * 4, lambda: api.revoke_user(user)
        )
        assert isinstance(version, int)
        for answer in answers:
            if is_busy(answer):
                continue
            assert isinstance(answer, SignedIn)
            opened = DeviceSession.objects.get(pk=answer.session).opened_version
            assert opened >= version or is_dead(answer)


@pytest.mark.parametrize("known", [True, False], ids=["known user", "first sign-in"])
def test_eight_sign_ins_at_once_keep_the_limit_of_one_session(
    user: Any, settings: Any, known: bool
) -> None:
    """s24: each of them would have found room."""
    if known:
        Device(user)
    limit(settings, MAX_SESSIONS_PER_USER=1)
    for _ in range(3):
        answers = together(*[lambda: api.sign_in(user)] * 8)
        assert all(isinstance(answer, SignedIn) or is_busy(answer) for answer in answers)
        assert live_sessions("default").filter(user_id=user.pk).count() == 1


def test_eight_sign_ins_at_once_are_refused_beyond_the_limit(user: Any, settings: Any) -> None:
    """s24 with ``ON_SESSION_LIMIT = "refuse"``: three get in."""
    limit(settings, MAX_SESSIONS_PER_USER=3, ON_SESSION_LIMIT="refuse")
    together(*[lambda: api.sign_in(user)] * 8)
    assert live_sessions("default").filter(user_id=user.pk).count() == 3


def test_first_sign_ins_at_once_make_one_state_and_all_live(user: Any) -> None:
    """The second to insert must neither fail nor raise the version of the first."""
    answers = together(*[lambda: api.sign_in(user)] * 8)
    opened = [answer for answer in answers if not is_busy(answer)]
    assert opened
    assert UserTokenState.objects.filter(pk=user.pk).count() == 1
    assert not any(api.is_revoked(answer.access) for answer in opened)


def test_first_sign_ins_from_several_processes_all_live(user: Any) -> None:
    """The same over HTTP, in processes that share nothing but the database."""
    with workers(4) as post:
        answers = post("/api/auth/token/", [CREDENTIALS] * 12)
    assert {status for status, _ in answers if not is_busy(status)} == {200}
    assert not any(api.is_revoked(body["access"]) for status, body in answers if status == 200)


def test_a_user_deleted_during_the_first_sign_in_is_an_answer(user: Any, pause: Pause) -> None:
    """Refused like any unknown user: no row, no session, no error."""
    pause.before(minting, "ensure_state")
    signed_in, _ = pause.race(lambda: api.sign_in(user), again(user).delete)
    assert isinstance(signed_in, SignInRefused)


def test_a_user_deleted_during_a_later_sign_in_is_refused(user: Any, pause: Pause) -> None:
    """Invariant 6: no session is left, for whoever gets the same key next."""
    Device(user)
    pause.after(sessions, "settled_account")
    key = user.pk
    signed_in, _ = pause.race(lambda: api.sign_in(user), again(user).delete)
    assert isinstance(signed_in, SignInRefused)
    Device(make_user("bob", pk=key))
    assert live_sessions("default").count() == 1


def test_a_hasher_upgrade_never_restores_the_old_password(
    user: Any, settings: Any, pause: Pause
) -> None:
    """Django's own upgrade saves the hash of the old password over a change made meanwhile."""
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[::-1]
    pause.before(receivers, "adopt_hash")
    signed_in, _ = pause.race(
        lambda: APIClient().post("/api/auth/token/", CREDENTIALS), lambda: new_password(user)
    )
    assert signed_in.status_code in {401, 503}
    assert again(user).check_password("another password")


def test_of_two_hasher_upgrades_the_slower_is_no_wrong_password(
    user: Any, settings: Any, pause: Pause
) -> None:
    """Its password is right; the hash it verified is gone, and the one it made was not saved."""
    quick = "tests.races.test_sign_in.QuickHasher"
    settings.PASSWORD_HASHERS = [quick, *settings.PASSWORD_HASHERS]
    pause.before(receivers, "adopt_hash")
    answers = pause.race(*[lambda: APIClient().post("/api/auth/token/", CREDENTIALS)] * 2)
    assert [answer.status_code for answer in answers] == [200, 200]
    assert not any(api.is_revoked(answer.json()["access"]) for answer in answers)


def test_hasher_upgrades_at_once_log_nobody_out(user: Any, settings: Any) -> None:
    """Every device signs in at the same moment after the site chose a better hasher."""
    phone = Device(user)
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[::-1]

    def sign_in() -> Any:
        found = authenticate(None, **CREDENTIALS)
        return "refused" if found is None else api.sign_in(found)

    answers = together(*[sign_in] * 4)
    assert all(isinstance(answer, SignedIn) or is_busy(answer) for answer in answers)
    assert again(user).password.startswith("pbkdf2")
    assert phone.standing == "live"
