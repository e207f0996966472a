"""What the fingerprints of an account show (DESIGN §4): changes that no signal saw."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password

from jwt_revoke import log
from jwt_revoke.models import Revocation, UserTokenState
from jwt_revoke.settling import adopt_hash, ensure_state, settle
from jwt_revoke.standing import account_fingerprint, password_fingerprint
from jwt_revoke.testing import Device
from tests.conftest import PASSWORD

pytestmark = pytest.mark.database


def update(user: Any, **fields: Any) -> Any:
    """As raw SQL does it: no signal. The user as it stands then."""
    rows = get_user_model()._base_manager.filter(pk=user.pk)
    rows.update(**fields)
    return rows.get()


def reasons() -> list[str]:
    return list(Revocation.objects.order_by("pk").values_list("reason", flat=True))


def state(user: Any) -> UserTokenState:
    return UserTokenState.objects.get(pk=user.pk)


def test_what_has_not_changed_is_not_recorded(phone: Device, user: Any) -> None:
    settle("default", user.pk)
    assert reasons() == []
    assert phone.standing == "live"


def test_a_user_we_do_not_know_is_left_alone(user: Any) -> None:
    settle("default", user.pk)
    settle("default", user.pk + 1)
    assert not UserTokenState.objects.exists()


@pytest.mark.parametrize(
    ("fields", "reason", "standing"),
    [
        ({"password": make_password("another")}, "password_changed", "revoked"),
        ({"password": "!"}, "password_changed", "revoked"),
        ({"is_active": False}, "suspended", "revoked"),
        ({"is_staff": True}, "role_changed", "stale"),
        ({"is_superuser": True}, "role_changed", "stale"),
    ],
)
def test_a_change_that_no_signal_saw_is_recorded_once(
    phone: Device, user: Any, fields: dict[str, Any], reason: str, standing: str
) -> None:
    update(user, **fields)
    settle("default", user.pk)
    settle("default", user.pk)
    assert reasons() == [reason]
    assert phone.standing == standing


def test_a_change_undone_after_it_was_seen_stays_dead(phone: Device, user: Any) -> None:
    """Invariant 6."""
    update(user, is_active=False)
    settle("default", user.pk)
    update(user, is_active=True)
    settle("default", user.pk)
    assert reasons() == ["suspended"]
    assert phone.standing == "revoked"


def test_several_changes_at_once_are_each_recorded(phone: Device, user: Any) -> None:
    update(user, is_active=False, is_staff=True, password=make_password("x"))
    settle("default", user.pk)
    assert sorted(reasons()) == ["password_changed", "role_changed", "suspended"]


def test_one_unusable_password_for_another_is_no_change(user: Any) -> None:
    """Django makes each of them random."""
    user.set_unusable_password()
    user.save()
    phone = Device(user)
    update(user, password=make_password(None))
    settle("default", user.pk)
    assert reasons() == []
    assert phone.standing == "live"


def test_when_the_password_changed_is_noted(phone: Device, user: Any) -> None:
    assert state(user).last_password_change is None
    update(user, is_staff=True)
    settle("default", user.pk)
    assert state(user).last_password_change is None
    update(user, password=make_password("another"))
    settle("default", user.pk)
    assert state(user).last_password_change is not None


def test_what_the_site_turned_off_is_taken_note_of_and_revokes_nothing(
    phone: Device, user: Any, settings: Any
) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REVOKE_ON": {"password_changed": None}}
    changed = update(user, password=make_password("another"))
    settle("default", user.pk)
    assert reasons() == []
    assert state(user).password_fingerprint == password_fingerprint(changed.password)
    assert phone.standing == "live"


def test_a_state_made_by_a_revocation_takes_its_fingerprints_without_a_revocation(
    user: Any,
) -> None:
    """It had none to compare with: nothing is known to have changed."""
    UserTokenState.objects.create(user_id=user.pk, version=1, session_floor=1)
    settle("default", user.pk)
    assert reasons() == []
    assert state(user).password_fingerprint == password_fingerprint(user.password)
    assert state(user).account_fingerprint == account_fingerprint(user)


def test_a_new_row_under_a_known_key_ends_what_its_predecessor_left(
    phone: Device, user: Any
) -> None:
    """Invariant 6: deleted where nobody saw it, and made again with the same password."""
    settle("default", user.pk, created=True)
    assert reasons() == ["deleted"]
    assert phone.standing == "revoked"


def test_a_user_deleted_between_the_two_looks_is_left_alone(
    phone: Device, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look takes no lock."""
    from contextlib import contextmanager

    from jwt_revoke import settling

    update(user, is_staff=True)
    key = user.pk

    @contextmanager
    def deleted_meanwhile(_using: str) -> Any:
        get_user_model()._base_manager.filter(pk=key)._raw_delete("default")
        yield

    monkeypatch.setattr(settling, "atomically", deleted_meanwhile)
    settle("default", key)
    assert reasons() == []


def test_a_hash_that_was_upgraded_is_adopted(phone: Device, user: Any) -> None:
    old, user.password = user.password, make_password(PASSWORD, hasher="pbkdf2_sha256")
    assert adopt_hash("default", user, old) is True
    assert state(user).password_fingerprint == password_fingerprint(user.password)


def test_a_hash_is_not_adopted_over_a_password_changed_meanwhile(phone: Device, user: Any) -> None:
    before = state(user).password_fingerprint
    old, user.password = user.password, make_password(PASSWORD, hasher="pbkdf2_sha256")
    update(user, password=make_password("another"))
    assert adopt_hash("default", user, old) is False
    assert state(user).password_fingerprint == before


def test_an_upgrade_does_not_hide_a_change_that_was_not_recorded(phone: Device, user: Any) -> None:
    """The fingerprint moves only from the very hash that was verified."""
    changed = update(user, password=make_password("another"))
    old, changed.password = changed.password, make_password("another", hasher="pbkdf2_sha256")
    assert adopt_hash("default", changed, old) is True
    changed.save(update_fields=["password"])
    assert reasons() == ["password_changed"]
    assert phone.standing == "revoked"


def test_a_state_is_made_once(user: Any) -> None:
    ensure_state("default", user)
    version = state(user).version
    ensure_state("default", user)
    assert state(user).version == version


def test_a_state_is_made_above_what_the_log_holds_for_its_key(user: Any) -> None:
    """Invariant 6: the clock of the process that revoked was ahead."""
    ahead = log.now_ms() + 10**9
    cause = log.Cause("test")
    log.append(
        "default", cause, scope="user", subject=str(user.pk), effect="session", version=ahead
    )
    ensure_state("default", user)
    assert state(user).version == state(user).session_floor == ahead + 1


def test_who_merely_found_a_change_is_not_its_actor(user: Any, phone: Device) -> None:
    """A role given by raw SQL is recorded in some request of its holder."""
    type(user).objects.filter(pk=user.pk).update(is_staff=True)
    phone.post("/api/auth/reauthenticate/", {"password": PASSWORD})
    assert Revocation.objects.get().actor == ""
