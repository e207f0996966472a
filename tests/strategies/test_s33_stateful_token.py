"""s33: the token's record is marked invalid."""

from __future__ import annotations

import pytest

from jwt_revoke import api
from jwt_revoke.models import DeviceSession
from tests.strategies.over_http import Phone, log

pytestmark = pytest.mark.django_db


def test_session_marked_ended_opens_nothing(user):
    phone, laptop = Phone(), Phone(device="laptop")
    assert api.revoke_session(phone.session_id, reason="marked")
    assert (phone.standing(), laptop.standing()) == ("revoked", "live")
    assert not phone.may_renew()
    assert log() == [("session", "marked", "session")]


def test_row_keeps_the_mark_and_its_reason(user):
    phone = Phone()
    api.revoke_session(phone.session_id, reason="marked")
    row = DeviceSession.objects.get()
    assert (row.ended_at is not None, row.end_reason) == (True, "marked")


def test_token_marked_invalid_opens_nothing_and_its_session_goes_on(user):
    phone = Phone()
    assert api.revoke_token(phone.access, reason="marked")
    assert phone.standing() == "stale"
    assert phone.may_renew()


def test_mark_is_seen_in_the_same_second(user):
    """Invariant 1: the bound of the database backend is 0."""
    phone = Phone()
    for _ in range(3):
        assert phone.standing() == "live"
        api.revoke_session(phone.session_id)
        assert phone.standing() == "revoked"
        phone.sign_in()
