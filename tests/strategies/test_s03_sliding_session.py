"""s03: a session ends after inactivity, and each use extends it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jwt_revoke.models import DeviceSession
from tests.strategies.over_http import Phone

pytestmark = pytest.mark.django_db


def leave_idle(phone, **ago):
    """As if the device had last been used when the session could still stand ``ago`` less."""
    rows = DeviceSession.objects.filter(pk=phone.session_id)
    rows.update(idle_expires_at=timezone.now() - timedelta(**ago))


def test_idle_session_is_over_with_no_clean_up_having_run(user):
    phone = Phone()
    leave_idle(phone, seconds=1)
    assert DeviceSession.objects.get().ended_at is None
    assert phone.standing() == "revoked"
    assert not phone.may_renew()


def test_each_refresh_extends_the_session(user, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SESSION_IDLE_TIMEOUT": timedelta(days=3)}
    phone = Phone()
    leave_idle(phone, days=-1)
    assert phone.may_renew()
    left = DeviceSession.objects.get().idle_expires_at - timezone.now()
    assert timedelta(days=2, hours=23) < left <= timedelta(days=3)


def test_idle_session_is_not_extended_by_trying(user):
    phone = Phone()
    leave_idle(phone, seconds=1)
    phone.renew()
    phone.standing()
    assert DeviceSession.objects.get().idle_expires_at < timezone.now()


def test_idle_session_is_not_listed(user):
    phone, other = Phone(), Phone(device="tablet")
    leave_idle(other, seconds=1)
    listed = phone.get("/api/auth/sessions/").data
    assert [session["name"] for session in listed] == ["phone"]
