"""For one refresh token there is one successor (invariant 5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from jwt_revoke import api, rotation, signals
from jwt_revoke.codec import RefreshClaims, decode_refresh, encode_refresh
from jwt_revoke.exceptions import RefreshReused, TokenRevoked
from jwt_revoke.keystore import refresh_key_ring
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.rotation import require_current
from jwt_revoke.testing import Device, collect_revocations
from tests.wire import READS

pytestmark = pytest.mark.database


def configure(settings: Any, **values: Any) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, **values}


def claims_of(phone: Device) -> RefreshClaims:
    return decode_refresh(phone.refresh_token, refresh_key_ring())


def replay(phone: Device, token: str, user_agent: str = "Phone/1") -> Any:
    """What somebody gets who brings ``token``."""
    request = phone._request()
    request.META["HTTP_USER_AGENT"] = user_agent
    return api.refresh(token, request)


def age(phone: Device, **columns: timedelta) -> None:
    """As if so much time had passed since these moments."""
    row = phone.device_session
    moments = {name: getattr(row, name) - passed for name, passed in columns.items()}
    DeviceSession.objects.filter(pk=phone.session_id).update(**moments)


def test_a_refresh_moves_the_counter_and_the_times(phone: Device) -> None:
    age(phone, last_used_at=timedelta(days=1), idle_expires_at=timedelta(days=1))
    before = phone.device_session
    phone.refresh_tokens()
    after = phone.device_session
    assert (before.refresh_counter, after.refresh_counter) == (0, 1)
    assert after.last_used_at > before.last_used_at
    assert after.idle_expires_at > before.idle_expires_at
    assert after.expires_at == before.expires_at
    assert phone.standing == "live"


def test_a_refresh_takes_two_statements(phone: Device) -> None:
    """Invariant 8: the one read, and the swap."""
    with CaptureQueriesContext(connection) as captured:
        phone.refresh_tokens()
    assert len(captured) == 2


def test_within_the_grace_the_successor_is_given_again(phone: Device) -> None:
    """Invariant 5: two tabs, or an answer that got lost; nothing is written."""
    old = phone.refresh_token
    phone.refresh_tokens()
    with CaptureQueriesContext(connection) as captured:
        again = replay(phone, old)
    assert again.refresh == phone.refresh_token
    assert all(query["sql"].startswith(READS) for query in captured)
    assert not api.is_revoked(again.access)


def test_a_repetition_is_told_by_a_signal(phone: Device, user: Any) -> None:
    heard: list[Any] = []

    def listen(user: Any, session_id: Any, **_kwargs: Any) -> None:
        heard.append((user, session_id))

    old = phone.refresh_token
    phone.refresh_tokens()
    signals.refresh_repeated.connect(listen)
    try:
        replay(phone, old)
    finally:
        signals.refresh_repeated.disconnect(listen)
    assert heard == [(user, phone.session_id)]


def test_after_the_grace_the_predecessor_is_a_replay(phone: Device) -> None:
    """Invariant 5: it ends the session, access tokens included."""
    old = phone.refresh_token
    phone.refresh_tokens()
    age(phone, rotated_at=timedelta(seconds=31))
    with pytest.raises(RefreshReused):
        replay(phone, old)
    assert phone.standing == "revoked"
    with pytest.raises(TokenRevoked):
        phone.refresh_tokens()


def test_another_user_agent_has_no_grace(phone: Device) -> None:
    old = phone.refresh_token
    phone.refresh_tokens()
    with pytest.raises(RefreshReused):
        replay(phone, old, user_agent="Thief/1")


def test_an_older_ancestor_has_no_grace(phone: Device) -> None:
    """Invariant 5: only the one just superseded."""
    old = phone.refresh_token
    phone.refresh_tokens()
    phone.refresh_tokens()
    with pytest.raises(RefreshReused):
        replay(phone, old)
    assert Revocation.objects.get().reason == "refresh_reused"


def test_a_site_may_have_no_grace(phone: Device, settings: Any) -> None:
    configure(settings, REFRESH_GRACE=timedelta(0))
    old = phone.refresh_token
    phone.refresh_tokens()
    with pytest.raises(RefreshReused):
        replay(phone, old)


def test_a_clock_stepped_back_does_not_lengthen_the_grace(phone: Device) -> None:
    """Invariant 6: the rotation lies in the future now."""
    old = phone.refresh_token
    phone.refresh_tokens()
    age(phone, rotated_at=timedelta(hours=-1))
    with pytest.raises(RefreshReused):
        replay(phone, old)


def test_a_counter_without_the_time_of_its_rotation_has_no_grace(phone: Device) -> None:
    old = phone.refresh_token
    DeviceSession.objects.update(refresh_counter=1)
    with pytest.raises(RefreshReused):
        replay(phone, old)


@pytest.mark.parametrize("way", ["logout", "logout everywhere", "password"])
def test_the_grace_does_not_outlive_the_session(phone: Device, user: Any, way: str) -> None:
    old = phone.refresh_token
    phone.refresh_tokens()
    if way == "logout":
        api.end_session(phone.session_id)
    elif way == "logout everywhere":
        api.revoke_user(user)
    else:
        get_user_model().objects.update(password=make_password("another"))
    with pytest.raises(TokenRevoked) as refused:
        replay(phone, old)
    assert not isinstance(refused.value, RefreshReused)


def test_reuse_may_end_every_session_of_the_user(
    phone: Device, laptop: Device, settings: Any
) -> None:
    configure(settings, ON_REUSE="user")
    old = phone.refresh_token
    phone.refresh_tokens()
    with pytest.raises(RefreshReused):
        replay(phone, old, user_agent="Thief/1")
    assert (phone.standing, laptop.standing) == ("revoked", "revoked")


def test_reuse_ends_one_session_by_default_and_is_told_by_a_signal(
    phone: Device, laptop: Device, user: Any
) -> None:
    heard: list[Any] = []

    def listen(user: Any, session_id: Any, **_kwargs: Any) -> None:
        heard.append((user, session_id))

    old = phone.refresh_token
    phone.refresh_tokens()
    signals.refresh_reused.connect(listen)
    try:
        with collect_revocations() as revoked, pytest.raises(RefreshReused):
            replay(phone, old, user_agent="Thief/1")
    finally:
        signals.refresh_reused.disconnect(listen)
    assert heard == [(user, phone.session_id)]
    assert [said["reason"] for said in revoked] == ["refresh_reused"]
    assert laptop.standing == "live"


def test_a_token_ahead_of_the_database_is_refused_and_raises_the_alarm(
    phone: Device, caplog: pytest.LogCaptureFixture
) -> None:
    """Invariant 6: a database restored from yesterday accuses nobody of theft."""
    phone.refresh_tokens()
    DeviceSession.objects.update(refresh_counter=0)
    with pytest.raises(TokenRevoked, match="ahead of the database"):
        phone.refresh_tokens()
    assert "went back in time" in caplog.text
    assert Revocation.objects.count() == 0


def test_a_held_session_is_refused_until_it_is_released(phone: Device) -> None:
    DeviceSession.objects.update(held_at=F("created_at"))
    with pytest.raises(TokenRevoked, match="held"):
        phone.refresh_tokens()
    DeviceSession.objects.update(held_at=None)
    phone.refresh_tokens()


@pytest.mark.parametrize("column", ["expires_at", "idle_expires_at"])
def test_a_session_past_its_time_is_over(phone: Device, column: str) -> None:
    """s03, s23."""
    age(phone, **{column: timedelta(days=91)})
    with pytest.raises(TokenRevoked):
        phone.refresh_tokens()


def test_a_suspended_user_refreshes_nothing(phone: Device) -> None:
    """Suspended where no signal saw it, and recorded now."""
    get_user_model().objects.update(is_active=False)
    with pytest.raises(TokenRevoked):
        phone.refresh_tokens()
    assert Revocation.objects.get().reason == "suspended"


def test_a_changed_role_is_recorded_and_the_new_token_lives(phone: Device) -> None:
    get_user_model().objects.update(is_staff=True)
    phone.refresh_tokens()
    assert Revocation.objects.get().reason == "role_changed"
    assert phone.standing == "live"


@pytest.mark.parametrize("column", ["ended_at", "held_at"])
def test_what_ends_or_holds_between_read_and_swap_is_no_replay(
    phone: Device, monkeypatch: pytest.MonkeyPatch, column: str
) -> None:
    """The swap requires the session live, and looks again why it was not."""
    rotate = rotation._rotate

    def overtaken(*args: Any) -> bool:
        DeviceSession.objects.update(**{column: F("created_at")})
        return rotate(*args)

    monkeypatch.setattr(rotation, "_rotate", overtaken)
    with pytest.raises(TokenRevoked, match="meanwhile"):
        phone.refresh_tokens()
    assert phone.device_session.refresh_counter == 0
    assert Revocation.objects.count() == 0


def test_what_expires_between_read_and_swap_is_no_replay(
    phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotate = rotation._rotate

    def overtaken(*args: Any) -> bool:
        DeviceSession.objects.update(expires_at=F("created_at"))
        return rotate(*args)

    monkeypatch.setattr(rotation, "_rotate", overtaken)
    with pytest.raises(TokenRevoked, match="expired meanwhile"):
        phone.refresh_tokens()
    assert Revocation.objects.count() == 0


def test_the_swap_decides_and_not_what_was_read_before_it(
    phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 5: another refresh falls in between; both get its successor."""
    rotate, answers = rotation._rotate, []

    def overtaken(*args: Any) -> bool:
        monkeypatch.setattr(rotation, "_rotate", rotate)
        answers.append(replay(phone, phone.refresh_token))
        return rotate(*args)

    monkeypatch.setattr(rotation, "_rotate", overtaken)
    answers.append(replay(phone, phone.refresh_token))
    assert answers[0].refresh == answers[1].refresh
    assert phone.device_session.refresh_counter == 1


def test_checking_a_refresh_token_rotates_nothing(phone: Device) -> None:
    require_current(claims_of(phone))
    assert phone.device_session.refresh_counter == 0


def test_a_superseded_or_held_token_is_not_current(phone: Device) -> None:
    old = claims_of(phone)
    phone.refresh_tokens()
    with pytest.raises(TokenRevoked):
        require_current(old)
    DeviceSession.objects.update(held_at=F("created_at"))
    with pytest.raises(TokenRevoked):
        require_current(claims_of(phone))


def test_a_token_of_an_ended_session_is_not_current(phone: Device) -> None:
    api.end_session(phone.session_id)
    with pytest.raises(TokenRevoked):
        require_current(claims_of(phone))


def test_the_successor_is_derived_and_stored_nowhere(phone: Device) -> None:
    """Invariant 9: it follows from the session and the counter."""
    expected = encode_refresh(RefreshClaims(phone.session_id, 1), refresh_key_ring())
    phone.refresh_tokens()
    assert phone.refresh_token == expected
    stored = " ".join(map(str, DeviceSession.objects.values_list().get()))
    assert expected not in stored
