"""``POST token/refresh/``: a refresh token for its successor and a new access token."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db.models import F
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.codec import decode_access
from jwt_revoke.keystore import key_ring
from jwt_revoke.models import DeviceSession, Revocation
from tests.wire import AUTH, assert_refused_token

URL = AUTH + "token/refresh/"


def rotated_long_ago(device):
    """As if the grace of the device's last refresh were over."""
    DeviceSession.objects.filter(pk=device.session_id).update(
        rotated_at=F("rotated_at") - timedelta(seconds=31)
    )


def refresh(device, token=None, **extra):
    return device.post(URL, {"refresh": token or device.refresh_token}, **extra)


def test_the_answer_holds_both_tokens_and_no_session(phone):
    response = refresh(phone)
    assert response.status_code == 200
    assert response.json().keys() == {"access", "refresh", "expires_in"}


def test_the_refresh_token_is_rotated(phone):
    assert refresh(phone).json()["refresh"] != phone.refresh_token


def test_the_new_access_token_opens_the_api(phone, anonymous):
    access = refresh(phone).json()["access"]
    response = anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {access}")
    assert response.status_code == 200


def test_the_old_access_token_lives_on(phone):
    """Requests that are under way when a tab refreshes are not torn down."""
    refresh(phone)
    assert phone.get("/api/ping/").status_code == 200


def test_no_access_token_is_needed(phone, anonymous):
    response = anonymous.post(
        URL, {"refresh": phone.refresh_token}, HTTP_USER_AGENT="quite another"
    )
    assert response.status_code == 200


def test_a_refresh_moves_last_used_at(phone):
    """Invariant 7."""
    long_ago = timezone.now() - timedelta(days=1)
    DeviceSession.objects.filter(pk=phone.session_id).update(last_used_at=long_ago)
    refresh(phone)
    assert phone.device_session.last_used_at > long_ago


def test_auth_time_stays_that_of_the_sign_in(phone):
    old = timezone.now() - timedelta(days=1)
    DeviceSession.objects.filter(pk=phone.session_id).update(authenticated_at=old)
    claims = decode_access(refresh(phone).json()["access"], key_ring())
    assert claims.auth_time == int(old.timestamp())


def test_within_the_grace_the_same_successor_is_answered(phone):
    """Invariant 5."""
    first, second = refresh(phone).json(), refresh(phone).json()
    assert first["refresh"] == second["refresh"]


def test_the_grace_writes_nothing(phone):
    refresh(phone)
    before = DeviceSession.objects.filter(pk=phone.session_id).values().get()
    refresh(phone)
    assert DeviceSession.objects.filter(pk=phone.session_id).values().get() == before


def test_a_replay_after_the_grace_is_401(phone):
    refresh(phone)
    rotated_long_ago(phone)
    assert_refused_token(refresh(phone), "revoked")


def test_a_replay_after_the_grace_ends_the_session(phone):
    """Invariant 5."""
    successor = refresh(phone).json()
    rotated_long_ago(phone)
    refresh(phone)
    assert phone.standing == "revoked"
    assert_refused_token(refresh(phone, successor["refresh"]), "revoked")
    assert phone.device_session.end_reason == "refresh_reused"


def test_a_replay_leaves_the_users_other_sessions(phone, laptop):
    refresh(phone)
    rotated_long_ago(phone)
    refresh(phone)
    assert laptop.standing == "live"


def test_on_reuse_user_ends_all_sessions(phone, laptop, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "ON_REUSE": "user"}
    refresh(phone)
    rotated_long_ago(phone)
    refresh(phone)
    assert laptop.standing == "revoked"


def test_a_replay_is_recorded_once(phone):
    refresh(phone)
    rotated_long_ago(phone)
    refresh(phone)
    refresh(phone)
    assert Revocation.objects.filter(reason="refresh_reused").count() == 1


def test_an_older_ancestor_ends_the_session_even_within_the_grace(phone):
    """Invariant 5: the grace is for the last predecessor alone."""
    successor = refresh(phone).json()
    refresh(phone, successor["refresh"])
    assert_refused_token(refresh(phone), "revoked")
    assert phone.standing == "revoked"


def test_the_grace_is_for_the_same_user_agent_alone(phone):
    refresh(phone)
    assert_refused_token(refresh(phone, HTTP_USER_AGENT="Thief/1"), "revoked")
    assert phone.standing == "revoked"


def test_the_grace_is_for_whoever_refreshed_and_not_for_who_signed_in(phone):
    """A browser that was updated since has another user agent, and still has two tabs."""
    updated = {"HTTP_USER_AGENT": "Phone/2"}
    first = refresh(phone, **updated).json()
    second = refresh(phone, **updated).json()
    assert first["refresh"] == second["refresh"]
    assert phone.device_session.user_agent == "Phone/2"


def test_a_grace_of_zero_takes_no_token_twice(phone, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REFRESH_GRACE": timedelta(0)}
    assert refresh(phone).status_code == 200
    assert_refused_token(refresh(phone), "revoked")
    assert phone.standing == "revoked"


def test_the_grace_does_not_outlive_a_log_out(phone):
    refresh(phone)
    api.end_session(phone.session_id)
    assert_refused_token(refresh(phone), "revoked")


def test_the_grace_does_not_outlive_a_password_change(phone, user):
    refresh(phone)
    user.set_password("another one entirely")
    user.save()
    assert_refused_token(refresh(phone), "revoked")


def test_a_token_ahead_of_the_database_is_refused_and_alarmed(phone, caplog):
    """The database was restored from an older backup."""
    successor = refresh(phone).json()["refresh"]
    DeviceSession.objects.filter(pk=phone.session_id).update(refresh_counter=0)
    with caplog.at_level("CRITICAL", "jwt_revoke"):
        assert_refused_token(refresh(phone, successor), "revoked")
    assert "went back in time" in caplog.text


def test_an_ended_session_is_401(phone):
    api.end_session(phone.session_id)
    assert_refused_token(refresh(phone), "revoked")


def test_a_session_that_is_gone_is_401(phone):
    DeviceSession.objects.filter(pk=phone.session_id).delete()
    assert_refused_token(refresh(phone), "revoked")


def test_a_held_session_is_401(phone):
    DeviceSession.objects.filter(pk=phone.session_id).update(held_at=timezone.now())
    assert_refused_token(refresh(phone), "revoked")


@pytest.mark.parametrize("column", ["expires_at", "idle_expires_at"])
def test_a_session_past_its_time_is_401(phone, column):
    DeviceSession.objects.filter(pk=phone.session_id).update(**{column: timezone.now()})
    assert_refused_token(refresh(phone), "revoked")


def test_a_deleted_user_is_401_and_not_an_error(phone, user):
    user.delete()
    assert_refused_token(refresh(phone), "revoked")


def test_a_user_deleted_past_every_signal_is_401(phone, user):
    rows = get_user_model().objects.filter(pk=user.pk)
    rows._raw_delete(rows.db)
    assert_refused_token(refresh(phone), "revoked")


def test_a_password_changed_past_every_signal_is_found_and_recorded(phone, user):
    get_user_model().objects.filter(pk=user.pk).update(password="md5$changed$by-raw-sql")
    assert_refused_token(refresh(phone), "revoked")
    assert Revocation.objects.filter(reason="password_changed").count() == 1


def test_a_token_that_is_none_of_ours_is_401(db, anonymous):
    assert_refused_token(anonymous.post(URL, {"refresh": "nonsense"}), "invalid")


def test_a_missing_token_is_400(db, anonymous):
    response = anonymous.post(URL, {})
    assert response.status_code == 400
    assert response.json() == {"refresh": ["This field is required."]}


def test_the_session_idles_anew_from_each_refresh(phone):
    soon = timezone.now() + timedelta(minutes=1)
    DeviceSession.objects.filter(pk=phone.session_id).update(idle_expires_at=soon)
    refresh(phone)
    assert phone.device_session.idle_expires_at > soon + timedelta(days=13)


def test_no_refresh_extends_the_lifetime_of_the_session(phone):
    before = phone.device_session.expires_at
    refresh(phone)
    assert phone.device_session.expires_at == before


def failing_claims(_user, _session):
    raise RuntimeError("the role service is away")


def test_claims_that_fail_cost_nobody_the_session(phone, settings):
    """The retry, after the grace, is no replay: nothing was rotated."""
    configured = settings.JWT_REVOKE
    settings.JWT_REVOKE = {**configured, "CLAIMS": f"{__name__}.failing_claims"}
    with pytest.raises(RuntimeError):
        phone.post(AUTH + "token/refresh/", {"refresh": phone.refresh_token})
    settings.JWT_REVOKE = configured
    answer = phone.post(AUTH + "token/refresh/", {"refresh": phone.refresh_token})
    assert answer.status_code == 200
