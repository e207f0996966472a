"""Revocations of one token, session, user, or everyone (invariants 1, 2, 6, 7, 8)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import api, revocation
from jwt_revoke.codec import decode_access
from jwt_revoke.keystore import key_ring
from jwt_revoke.log import Cause
from jwt_revoke.models import DeviceSession, Generation, Revocation, UserTokenState
from jwt_revoke.testing import Device
from tests.conftest import make_user
from tests.wire import READS

pytestmark = pytest.mark.database


def revocations_of(phone: Device) -> dict[str, Callable[[], Any]]:
    """Every way to take this device's access token back."""
    user = get_user_model().objects.get(pk=phone.device_session.user_id)
    return {
        "token": lambda: api.revoke_token(phone.access),
        "session": lambda: api.revoke_session(phone.session_id),
        "user": lambda: api.revoke_user(user),
        "user, access": lambda: api.revoke_user(user, effect="access"),
        "users": lambda: api.revoke_users(get_user_model().objects.all()),
        "everyone": api.revoke_everyone,
        "everyone, access": lambda: api.revoke_everyone(effect="access"),
    }


WAYS = ["token", "session", "user", "user, access", "users", "everyone", "everyone, access"]


def state(user: Any) -> UserTokenState:
    return UserTokenState.objects.get(pk=user.pk)


@pytest.mark.parametrize("way", WAYS)
def test_the_next_request_is_refused(phone: Device, way: str) -> None:
    """Invariant 1: once the call returned."""
    assert phone.get("/api/ping/").status_code == 200
    revocations_of(phone)[way]()
    assert phone.get("/api/ping/").status_code == 401


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", WAYS)
def test_a_roll_back_undoes_the_revocation(phone: Device, way: str) -> None:
    """Invariant 2: with the change that caused it, or not at all."""
    with transaction.atomic():
        revocations_of(phone)[way]()
        assert phone.standing != "live"
        transaction.set_rollback(True)
    assert phone.standing == "live"
    phone.refresh_tokens()
    assert Revocation.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_a_view_that_fails_under_atomic_requests_undoes_its_revocation(
    phone: Device, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 2: the site's own view, in the site's own transaction."""
    from tests.views import PingView

    def revoke_and_fail(self: Any, request: Any) -> Any:
        api.revoke_user(request.user)
        raise RuntimeError

    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    monkeypatch.setattr(PingView, "get", revoke_and_fail)
    phone.raise_request_exception = False
    assert phone.get("/api/ping/").status_code == 500
    assert phone.standing == "live"


@pytest.mark.django_db(transaction=True)
def test_a_reuse_that_answers_401_under_atomic_requests_stays_revoked(
    phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 2: our views commit what they revoke before they refuse."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    stolen = phone.refresh_token
    phone.refresh_tokens()
    phone.refresh_tokens()
    answer = phone.post("/api/auth/token/refresh/", {"refresh": stolen})
    assert answer.status_code == 401
    assert phone.standing == "revoked"


def test_a_token_is_denied_alone(phone: Device, laptop: Device) -> None:
    """s04: its session refreshes and goes on."""
    assert api.revoke_token(phone.access) is True
    assert phone.standing == "stale"
    assert laptop.standing == "live"
    phone.refresh_tokens()
    assert phone.standing == "live"


def test_denying_a_token_again_writes_nothing(phone: Device) -> None:
    api.revoke_token(phone.access)
    assert api.revoke_token(phone.access) is False
    assert Revocation.objects.count() == 1


def test_a_denied_token_stays_denied_as_long_as_it_could_ever_live(
    phone: Device, settings: Any
) -> None:
    """Raising the lifetime again must not outlive the entry."""
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "ACCESS_TOKEN_LIFETIME": timedelta(seconds=1)}
    api.revoke_token(phone.access)
    expires = decode_access(phone.access, key_ring(), expired_too=True).exp
    assert Revocation.objects.get().expires_at.timestamp() == expires


def test_a_session_is_ended_alone(phone: Device, laptop: Device) -> None:
    """s33."""
    assert api.revoke_session(phone.session_id, reason="stolen") is True
    assert (phone.standing, laptop.standing) == ("revoked", "live")
    assert phone.device_session.end_reason == "stolen"


def test_ending_a_session_again_changes_nothing(phone: Device) -> None:
    """Invariant 6: a second log-out neither moves the first nor hides it."""
    api.end_session(phone.session_id)
    ended = phone.device_session.ended_at
    assert api.end_session(phone.session_id) is False
    assert phone.device_session.ended_at == ended
    assert Revocation.objects.count() == 1


def test_ending_a_session_that_never_was_is_told(db: None) -> None:
    assert api.end_session(uuid4()) is False


def test_a_user_is_logged_out_everywhere(phone: Device, laptop: Device, user: Any) -> None:
    """s05."""
    other = Device(make_user("bob"))
    version = api.revoke_user(user)
    assert (phone.standing, laptop.standing, other.standing) == ("revoked", "revoked", "live")
    assert state(user).version == state(user).session_floor == version
    assert DeviceSession.objects.filter(user=user, ended_at=None).count() == 0


def test_effect_access_makes_every_device_refresh(phone: Device, user: Any) -> None:
    floor = state(user).session_floor
    version = api.revoke_user(user, effect="access")
    assert phone.standing == "stale"
    assert (state(user).version, state(user).session_floor) == (version, floor)
    phone.refresh_tokens()
    assert phone.standing == "live"


def test_the_floor_is_the_new_version_and_not_one_above_it(phone: Device, user: Any) -> None:
    """MariaDB evaluates a SET list from left to right with the values it has just set: a floor
    assigned after the version would be one higher, and every sign-in after it dead."""
    UserTokenState.objects.update(version=F("version") + 10**9)
    version = api.revoke_user(user)
    assert state(user).session_floor == version
    assert Device(user).standing == "live"


def test_sessions_from_before_a_moment_end_and_the_others_refresh(
    phone: Device, laptop: Device, user: Any
) -> None:
    """s06."""
    now = timezone.now()
    DeviceSession.objects.filter(pk=phone.session_id).update(created_at=now - timedelta(days=2))
    api.revoke_user(user, before=now - timedelta(days=1))
    assert (phone.standing, laptop.standing) == ("revoked", "stale")
    laptop.refresh_tokens()
    assert laptop.standing == "live"
    assert set(Revocation.objects.values_list("scope", flat=True)) == {"user", "session"}
    assert Revocation.objects.values("batch").distinct().count() == 1


def test_before_ends_none_when_all_are_newer(phone: Device, user: Any) -> None:
    api.revoke_user(user, before=timezone.now() - timedelta(days=1))
    assert phone.standing == "stale"
    assert Revocation.objects.count() == 1


def test_a_user_who_never_signed_in_can_be_revoked(user: Any) -> None:
    """Their row is made by it; whoever signs in later is not concerned."""
    version = api.revoke_user(user)
    assert state(user).version == version
    assert Device(user).standing == "live"


def test_versions_rise_within_one_millisecond(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 6: two revocations in one tick of the clock are two versions."""
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now)
    versions = [api.revoke_user(user) for _ in range(3)]
    assert versions == sorted(set(versions))


def test_a_clock_stepped_back_revives_nothing(
    phone: Device, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 6: what was revoked stays so, and the next revocation counts on from there."""
    first = api.revoke_user(user)
    past = time.time_ns() - 10**9 * 3600
    monkeypatch.setattr(time, "time_ns", lambda: past)
    second = api.revoke_user(user)
    assert second > first
    assert phone.standing == "revoked"
    assert Device(user).standing == "live"


def test_a_re_created_user_is_above_the_log_even_with_the_clock_stepped_back(
    phone: Device, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 6: the state row went with the user; the log knows the version."""
    key, last = user.pk, api.revoke_user(user)
    user.delete()
    past = time.time_ns() - 10**9 * 3600
    monkeypatch.setattr(time, "time_ns", lambda: past)
    again = make_user("somebody else", pk=key)
    assert api.revoke_user(again) > last
    assert phone.standing == "revoked"


def test_re_creating_the_primary_key_revives_nothing(phone: Device, user: Any) -> None:
    """Invariant 6."""
    key = user.pk
    user.delete()
    other = make_user("somebody else", pk=key)
    assert phone.standing == "revoked"
    assert Device(other).standing == "live"
    assert phone.standing == "revoked"


def test_re_creating_a_key_that_raw_sql_deleted_revives_nothing(phone: Device, user: Any) -> None:
    """Invariant 6: our rows are all still there; the new row is seen to be new."""
    key = user.pk
    get_user_model().objects.filter(pk=key)._raw_delete("default")
    make_user("alice", pk=key)
    assert phone.standing == "revoked"


def test_re_activation_revives_nothing(phone: Device, user: Any) -> None:
    """Invariant 6."""
    user.is_active = False
    user.save()
    user.is_active = True
    user.save()
    assert phone.standing == "revoked"
    assert Device(user).standing == "live"


def test_cleaning_up_revives_nothing(phone: Device, laptop: Device, user: Any) -> None:
    """Invariant 6: without their rows the sessions are gone, not live."""
    api.revoke_user(user)
    DeviceSession.objects.all().delete()
    Revocation.objects.all().delete()
    assert (phone.standing, laptop.standing) == ("revoked", "revoked")


def test_a_database_restored_from_yesterday_is_made_safe_by_the_red_button(
    phone: Device, user: Any
) -> None:
    """Invariant 6: the generation is ordered by time, so it is above every one given out."""
    before = {
        model: list(model.objects.values()) for model in (UserTokenState, DeviceSession, Generation)
    }
    api.revoke_everyone()
    api.revoke_user(user)
    late = Device(user)
    for model, rows in before.items():
        model.objects.all().delete()
        model.objects.bulk_create(model(**row) for row in rows)
    Revocation.objects.all().delete()
    assert late.standing == "revoked"
    api.revoke_everyone()
    assert (phone.standing, late.standing) == ("revoked", "revoked")
    assert Device(user).standing == "live"


def test_everyone_is_logged_out_in_one_row(phone: Device) -> None:
    """s10: sessions are not touched one by one."""
    other = Device(make_user("bob"))
    generation = api.revoke_everyone()
    assert Generation.objects.get().session_floor == generation
    assert (phone.standing, other.standing) == ("revoked", "revoked")
    assert Revocation.objects.count() == 1


def test_everyone_can_be_made_to_refresh(phone: Device) -> None:
    generation = api.revoke_everyone(effect="access")
    assert phone.standing == "stale"
    assert Generation.objects.get().session_floor == 0
    phone.refresh_tokens()
    assert decode_access(phone.access, key_ring()).gen == generation
    assert phone.standing == "live"


def test_generations_rise(db: None) -> None:
    first = api.revoke_everyone()
    assert api.revoke_everyone() > first


def test_deleting_a_user_leaves_no_row_but_the_log(phone: Device, user: Any) -> None:
    key = user.pk
    user.delete()
    assert not UserTokenState.objects.filter(pk=key).exists()
    assert not DeviceSession.objects.filter(user_id=key).exists()
    assert Revocation.objects.get(subject=str(key)).reason == "deleted"


def test_deleting_a_user_who_never_signed_in_logs_nothing(user: Any) -> None:
    user.delete()
    assert Revocation.objects.count() == 0


def test_a_site_may_leave_deletion_out_of_the_log(phone: Device, user: Any, settings: Any) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REVOKE_ON": {"deleted": None}}
    user.delete()
    assert phone.standing == "revoked"
    assert Revocation.objects.count() == 0


@pytest.mark.parametrize("way", WAYS)
def test_the_number_of_statements_does_not_depend_on_the_number_of_sessions(
    user: Any, way: str
) -> None:
    """Invariant 8."""
    counts = []
    for devices in (1, 12):
        phone = [Device(user) for _ in range(devices)][-1]
        revoke = revocations_of(phone)[way]
        with CaptureQueriesContext(connection) as captured:
            revoke()
        counts.append(len(captured))
    assert counts[0] >= counts[1]


def test_a_user_is_revoked_in_four_statements(phone: Device, user: Any) -> None:
    """Invariant 8: raise, read back, log, mark."""
    with CaptureQueriesContext(connection) as captured:
        api.revoke_user(user)
    assert len(captured) <= 4


def test_a_request_writes_nothing(phone: Device) -> None:
    """Invariant 7: one SELECT decides; ``last_used_at`` moves on refresh."""
    used = phone.device_session.last_used_at
    with CaptureQueriesContext(connection) as captured:
        assert phone.get("/api/ping/").status_code == 200
    (query,) = captured
    assert query["sql"].startswith(READS)
    assert phone.device_session.last_used_at == used


def test_a_refused_request_writes_nothing_either(phone: Device, user: Any) -> None:
    """Invariant 7: not even for a change that nobody has recorded yet."""
    get_user_model().objects.filter(pk=user.pk).update(password="!")
    with CaptureQueriesContext(connection) as captured:
        assert phone.get("/api/ping/").status_code == 401
    assert all(query["sql"].startswith(READS) for query in captured)


def test_causes_are_recorded_as_given(user: Any) -> None:
    revocation.revoke_user("default", user.pk, Cause("test", "9", "note"), "access")
    entry = Revocation.objects.get()
    assert (entry.reason, entry.actor, entry.note) == ("test", "9", "note")


# Renewing an opaque id (s12)


def test_a_renewed_subject_is_another_and_the_old_is_revoked(phone: Device, user: Any) -> None:
    before = state(user)
    api.renew_subject(user)
    after = state(user)
    assert after.subject != before.subject
    assert after.version == after.session_floor > before.version
    assert phone.device_session.end_reason == "subject_renewed"


def test_a_renewal_that_lets_sessions_refresh_leaves_the_floor(phone: Device, user: Any) -> None:
    before = state(user)
    api.renew_subject(user, effect="access")
    after = state(user)
    assert (after.session_floor, phone.device_session.ended_at) == (before.session_floor, None)
    assert after.version > before.version
    assert after.subject != before.subject


def test_a_renewal_is_rolled_back_as_a_whole(phone: Device, user: Any) -> None:
    """Invariant 2: neither another id without the revocation, nor the reverse."""
    before = UserTokenState.objects.values().get()
    with transaction.atomic():
        api.renew_subject(user)
        transaction.set_rollback(True)
    assert UserTokenState.objects.values().get() == before
    assert not Revocation.objects.exists()


def test_a_renewal_is_one_statement_more_than_a_revocation(phone: Device, user: Any) -> None:
    """Invariant 8."""
    with CaptureQueriesContext(connection) as captured:
        api.renew_subject(user)
    assert len(captured) <= 5


def test_who_never_signed_in_is_renewed_too(user: Any) -> None:
    api.renew_subject(user)
    assert state(user).subject is not None
    assert Device(user).standing == "live"
