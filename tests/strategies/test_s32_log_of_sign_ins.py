"""s32: log-in and log-out times and device details in a table."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jwt_revoke.models import DeviceSession, Revocation
from tests.strategies.over_http import AUTH, Phone

pytestmark = pytest.mark.django_db


def test_sign_in_records_when_where_and_on_what(user):
    start = timezone.now()
    Phone(device="Alice's phone", REMOTE_ADDR="192.0.2.7")
    row = DeviceSession.objects.get()
    assert row.user_id == user.pk
    assert (row.name, row.user_agent) == ("Alice's phone", "Alice's phone/1")
    assert row.ip_address == "192.0.2.7"
    assert start <= row.created_at <= timezone.now()
    assert row.ended_at is None


def test_refresh_records_the_last_use(user):
    phone = Phone()
    start = timezone.now()
    DeviceSession.objects.update(last_used_at=timezone.now() - timedelta(days=1))
    phone.renew()
    assert start <= DeviceSession.objects.get().last_used_at


def test_log_out_records_its_time_and_reason(user):
    phone = Phone()
    start = timezone.now()
    phone.post(AUTH + "logout/")
    row = DeviceSession.objects.get()
    assert start <= row.ended_at <= timezone.now()
    assert row.end_reason == "logout"


def test_log_says_what_ended_when_why_and_by_whom(user):
    phone = Phone()
    start = timezone.now()
    phone.post(AUTH + "logout/all/")
    entry = Revocation.objects.get()
    assert (entry.scope, entry.subject) == ("user", str(user.pk))
    assert (entry.reason, entry.actor) == ("logout_all", str(user.pk))
    assert start <= entry.created_at <= timezone.now()


def test_second_log_out_does_not_rewrite_the_first(user):
    phone = Phone()
    phone.post(AUTH + "logout/")
    first = DeviceSession.objects.values("ended_at", "end_reason").get()
    phone.post(AUTH + "logout/")
    assert DeviceSession.objects.values("ended_at", "end_reason").get() == first
