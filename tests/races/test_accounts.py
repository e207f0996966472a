"""Changes of one account at the same moment."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, IntegrityError

from jwt_revoke import api
from jwt_revoke.models import DeviceSession, Revocation, UserTokenState
from jwt_revoke.testing import Device
from tests.conftest import PASSWORD, make_user
from tests.races.together import is_busy, together

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]


def test_of_two_password_changes_at_once_one_wins_and_lives(user: Any) -> None:
    """Both knew the old password; the stored one is the winner's, who alone stays signed in."""
    old = PASSWORD
    for turn in range(3):
        user.refresh_from_db()
        devices = {"first": Device(user), "second": Device(user)}

        def change(name: str, devices: Any = devices, old: str = old, turn: int = turn) -> Any:
            body = {"old_password": old, "new_password": f"{name} of turn {turn}"}
            return devices[name].post("/api/auth/password/change/", body)

        answers = together(lambda: change("first"), lambda: change("second"))
        statuses = dict(zip(devices, (answer.status_code for answer in answers), strict=True))
        assert set(statuses.values()) <= {200, 400, 401, 503}
        assert list(statuses.values()).count(200) == 1
        assert 503 not in statuses.values() or is_busy(503)
        chosen = next(name for name, status in statuses.items() if status == 200)
        user.refresh_from_db()
        old = f"{chosen} of turn {turn}"
        assert user.check_password(old)
        winner = answers[list(devices).index(chosen)].json()
        assert not api.is_revoked(winner["access"])
        assert {device.standing for device in devices.values()} == {"revoked"}


def test_deleting_a_user_beside_saves_of_it_ends_every_session(user: Any) -> None:
    """Invariant 6: a save that comes late may bring the row back, never the session."""
    model = get_user_model()
    for turn in range(4):
        account = make_user(f"user{turn}")
        phone, key = Device(account), account.pk

        def promote(key: Any = key) -> None:
            found = model.objects.get(pk=key)
            found.is_staff = True
            found.save()

        deleted, *saved = together(model.objects.get(pk=key).delete, promote, promote)
        assert not isinstance(deleted, Exception) or is_busy(deleted)
        # Django itself inserts the row again, and one of two that do so loses.
        expected = (type(None), model.DoesNotExist, IntegrityError)
        assert [a for a in saved if not isinstance(a, expected) and not is_busy(a)] == []
        if not isinstance(deleted, Exception):
            assert phone.standing == "revoked"


def test_deleting_a_user_beside_a_refresh_ends_it(user: Any) -> None:
    """No token of the race lives, and none of our rows stays behind."""
    phone, key = Device(user), user.pk
    deleted, refreshed = together(
        user.delete, lambda: api.refresh(phone.refresh_token, phone._request())
    )
    if is_busy(deleted):
        user.delete()
    else:
        assert not isinstance(deleted, Exception)
    assert not isinstance(refreshed, DatabaseError)
    assert phone.standing == "revoked"
    assert not DeviceSession.objects.filter(user_id=key).exists()
    assert not UserTokenState.objects.filter(pk=key).exists()


def test_saves_of_one_user_at_once_record_one_change(user: Any) -> None:
    """Both saved the same promotion; whoever comes second finds it recorded."""
    Device(user)
    model = get_user_model()

    def promote() -> None:
        found = model.objects.get(pk=user.pk)
        found.is_staff = True
        found.save(update_fields=["is_staff"])

    answers = together(*[promote] * 4)
    assert [answer for answer in answers if answer is not None and not is_busy(answer)] == []
    assert Revocation.objects.filter(reason="role_changed").count() == 1


def test_password_changes_beside_suspension_and_log_out_meet_no_deadlock(user: Any) -> None:
    """User, state, session: every path takes them in that order."""
    model = get_user_model()

    def change(**fields: Any) -> None:
        found = model.objects.get(pk=user.pk)
        for name, value in fields.items():
            setattr(found, name, value)
        found.save(update_fields=list(fields))

    for turn in range(3):
        user.refresh_from_db()
        devices = [Device(user) for _ in range(3)]
        answers = together(
            lambda turn=turn: change(password=f"md5$salt${turn}"),
            lambda: change(is_active=False),
            lambda: api.revoke_user(user),
            *[lambda device=device: api.end_session(device.session_id) for device in devices],
        )
        wrong = [a for a in answers if isinstance(a, Exception) and not is_busy(a)]
        assert wrong == []
        assert {device.standing for device in devices} == {"revoked"}
        change(is_active=True)
