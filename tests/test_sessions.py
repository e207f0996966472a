"""The life of a session: sign in, go on with a new one, confirm the password, rename."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import api, sessions, signals
from jwt_revoke.claims import Claims
from jwt_revoke.codec import decode_access
from jwt_revoke.exceptions import SessionLimitReached, SignInRefused, TokenRevoked, TokenStale
from jwt_revoke.keystore import key_ring
from jwt_revoke.log import Cause
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.standing import live_sessions
from jwt_revoke.testing import Device, collect_revocations

pytestmark = pytest.mark.database


def configure(settings: Any, **values: Any) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, **values}


def row(tokens: Any) -> DeviceSession:
    return DeviceSession.objects.get(pk=tokens.session)


def test_a_session_lives_as_long_as_the_settings_say(user: Any, settings: Any) -> None:
    """s03, s23."""
    configure(settings, SESSION_IDLE_TIMEOUT=timedelta(hours=1), SESSION_LIFETIME=timedelta(days=2))
    session = row(api.sign_in(user))
    assert session.idle_expires_at - session.created_at == timedelta(hours=1)
    assert session.expires_at - session.created_at == timedelta(days=2)
    assert session.created_at == session.authenticated_at == session.last_used_at


def test_a_session_knows_its_device(user: Any) -> None:
    request = RequestFactory().post("/", HTTP_USER_AGENT="Phone/1", REMOTE_ADDR="192.0.2.7")
    session = row(api.sign_in(user, request, device="my phone"))
    assert (session.name, session.user_agent) == ("my phone", "Phone/1")
    assert session.ip_address == "192.0.2.7"


def test_a_session_without_a_request_has_no_device(user: Any) -> None:
    session = row(api.sign_in(user))
    assert (session.name, session.user_agent, session.ip_address) == ("", "", None)


def test_a_long_name_is_cut(user: Any) -> None:
    assert len(row(api.sign_in(user, device="n" * 500)).name) == 100


def test_a_later_sign_in_takes_two_statements(user: Any) -> None:
    """Invariant 8: the one read, and the row."""
    api.sign_in(user)
    with CaptureQueriesContext(connection) as captured:
        api.sign_in(user)
    assert len(captured) == 2


def test_nobody_signs_in_with_a_password_that_changed_meanwhile(user: Any) -> None:
    get_user_model().objects.update(password=make_password("another"))
    with pytest.raises(SignInRefused):
        api.sign_in(user)
    assert not DeviceSession.objects.exists()


def test_nobody_signs_in_who_is_inactive_or_gone(user: Any) -> None:
    get_user_model().objects.update(is_active=False)
    with pytest.raises(SignInRefused):
        api.sign_in(user)
    get_user_model().objects.all()._raw_delete("default")
    with pytest.raises(SignInRefused):
        api.sign_in(user)


@pytest.mark.django_db(transaction=True)
def test_a_sign_in_is_told_by_a_signal(user: Any) -> None:
    heard: list[Any] = []

    def listen(user: Any, session: Any, request: Any, **_kwargs: Any) -> None:
        heard.append((user, session.pk, request))

    signals.signed_in.connect(listen)
    try:
        tokens = api.sign_in(user)
    finally:
        signals.signed_in.disconnect(listen)
    assert heard == [(user, tokens.session, None)]


def test_the_oldest_session_makes_room(user: Any, settings: Any) -> None:
    """s24."""
    configure(settings, MAX_SESSIONS_PER_USER=2)
    devices = [Device(user) for _ in range(4)]
    assert [device.standing for device in devices] == ["revoked", "revoked", "live", "live"]
    assert set(Revocation.objects.values_list("reason", flat=True)) == {"session_limit"}


def test_a_limit_lowered_later_is_kept_at_the_next_sign_in(user: Any, settings: Any) -> None:
    devices = [Device(user) for _ in range(3)]
    configure(settings, MAX_SESSIONS_PER_USER=1)
    newest = Device(user)
    assert {device.standing for device in devices} == {"revoked"}
    assert newest.standing == "live"


def test_at_the_limit_a_sign_in_may_be_refused(user: Any, settings: Any) -> None:
    configure(settings, MAX_SESSIONS_PER_USER=1, ON_SESSION_LIMIT="refuse")
    first = Device(user)
    with pytest.raises(SessionLimitReached):
        api.sign_in(user)
    assert first.standing == "live"
    api.end_session(first.session_id)
    assert Device(user).standing == "live"


def test_sessions_that_are_over_take_no_room(user: Any, settings: Any) -> None:
    configure(settings, MAX_SESSIONS_PER_USER=1, ON_SESSION_LIMIT="refuse")
    for end in ("ended_at", "expires_at", "idle_expires_at"):
        Device(user)
        DeviceSession.objects.update(**{end: timezone.now()})
    assert Device(user).standing == "live"


def claims_of(device: Device) -> Claims:
    return decode_access(device.access, key_ring())


def test_keeping_this_device_ends_every_session_and_opens_a_new_one(
    phone: Device, laptop: Device, user: Any
) -> None:
    """Nothing that was stolen before survives inside the kept one."""
    request = phone._request()
    tokens = sessions.replace_session(user, claims_of(phone), request, Cause("logout_all"))
    assert (phone.standing, laptop.standing) == ("revoked", "revoked")
    with pytest.raises(TokenRevoked):
        phone.refresh_tokens()
    assert tokens.session != phone.session_id
    assert row(tokens).name == "phone"
    assert not api.is_revoked(tokens.access)


def test_keeping_this_device_proves_no_password(phone: Device, user: Any) -> None:
    """s23: neither the end of the session nor ``auth_time`` moves, or a stolen access token
    would open what asks for a recent password, and live for ever."""
    long_ago = timezone.now() - timedelta(days=80)
    end = long_ago + timedelta(days=90)
    DeviceSession.objects.update(authenticated_at=long_ago, created_at=long_ago, expires_at=end)
    phone.refresh_tokens()
    tokens = sessions.replace_session(user, claims_of(phone), None, Cause("logout_all"))
    kept = row(tokens)
    assert abs(kept.expires_at - end) < timedelta(seconds=1)
    assert abs(kept.created_at - long_ago) < timedelta(seconds=1)
    claims = decode_access(tokens.access, key_ring())
    assert claims.auth_time == int(kept.authenticated_at.timestamp())
    assert claims.auth_time == claims_of(phone).auth_time


def test_a_token_that_died_since_it_was_let_in_keeps_nothing(phone: Device, user: Any) -> None:
    claims = claims_of(phone)
    api.revoke_session(phone.session_id)
    with pytest.raises(TokenRevoked):
        sessions.replace_session(user, claims, None, Cause("logout_all"))
    assert DeviceSession.objects.count() == 1


def failing_claims(_user: Any, _session: Any) -> dict[str, Any]:
    raise RuntimeError("the role service is away")


def test_claims_that_fail_leave_no_session_that_nobody_holds(user: Any, settings: Any) -> None:
    configure(settings, CLAIMS="tests.test_sessions.failing_claims")
    with pytest.raises(RuntimeError):
        api.sign_in(user)
    assert not DeviceSession.objects.exists()


@pytest.mark.parametrize("effect", ["access", None])
def test_a_password_change_here_ends_every_session_whatever_revoke_on_says(
    phone: Device, laptop: Device, user: Any, settings: Any, effect: str | None
) -> None:
    configure(settings, REVOKE_ON={"password_changed": effect})
    tokens = sessions.change_password(user, phone.session_id, "another passphrase", None)
    assert (phone.standing, laptop.standing) == ("revoked", "revoked")
    assert not api.is_revoked(tokens.access)


def test_confirming_the_password_gives_a_token_with_a_new_time(phone: Device, user: Any) -> None:
    """s23: the old one goes on living with its old time."""
    an_hour_ago = timezone.now() - timedelta(hours=1)
    DeviceSession.objects.update(authenticated_at=an_hour_ago)
    access, expires_in = sessions.reauthenticate(user, phone.session_id)
    claims = decode_access(access, key_ring())
    assert claims.auth_time > an_hour_ago.timestamp()
    assert expires_in == 300
    assert phone.device_session.authenticated_at > an_hour_ago
    assert phone.standing == "live"


def test_a_password_confirmed_in_a_dead_session_opens_nothing(phone: Device, user: Any) -> None:
    api.end_session(phone.session_id)
    with pytest.raises(TokenRevoked):
        sessions.reauthenticate(user, phone.session_id)


def test_a_password_that_changed_while_it_was_confirmed_opens_nothing(
    phone: Device, user: Any, settings: Any
) -> None:
    configure(settings, REVOKE_ON={"password_changed": None})
    get_user_model().objects.update(password=make_password("another"))
    with pytest.raises(SignInRefused):
        sessions.reauthenticate(user, phone.session_id)


def test_a_password_change_ends_all_sessions_and_opens_one(
    phone: Device, laptop: Device, user: Any
) -> None:
    with collect_revocations() as revoked:
        tokens = sessions.change_password(user, phone.session_id, "another", None)
    assert [said["reason"] for said in revoked] == ["password_changed"]
    assert (phone.standing, laptop.standing) == ("revoked", "revoked")
    assert not api.is_revoked(tokens.access)
    assert row(tokens).name == "phone"
    assert get_user_model().objects.get().check_password("another")


def test_a_password_that_somebody_changed_first_is_not_changed_again(
    phone: Device, user: Any
) -> None:
    """What was verified is no longer the password."""
    get_user_model().objects.update(password=make_password("theirs"))
    with pytest.raises(SignInRefused):
        sessions.change_password(user, phone.session_id, "mine", None)
    assert get_user_model().objects.get().check_password("theirs")


def test_a_session_is_renamed(phone: Device) -> None:
    assert sessions.rename_session(phone.device_session, "kitchen " * 50)
    assert phone.device_session.name == ("kitchen " * 50)[:100]
    assert phone.standing == "live"


def test_a_session_of_nobody_is_ended_by_nobody(user: Any) -> None:
    assert api.end_session(uuid4()) is False
    assert not live_sessions("default").exists()


def test_a_session_that_is_gone_is_not_renamed(phone: Device) -> None:
    session = phone.device_session
    DeviceSession.objects.all().delete()
    assert not sessions.rename_session(session, "x")


def test_what_a_refused_keep_current_saw_stays_recorded(phone: Device, user: Any) -> None:
    """Invariant 6: a change that was seen once stays dead, though the refusal undid its record."""
    claims = claims_of(phone)
    type(user).objects.filter(pk=user.pk).update(is_staff=True)
    with pytest.raises(TokenStale):
        sessions.replace_session(user, claims, None, Cause("logout_all"))
    type(user).objects.filter(pk=user.pk).update(is_staff=False)
    assert Revocation.objects.filter(reason="role_changed").exists()
    assert phone.standing == "stale"
