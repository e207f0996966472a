"""s06: per user, nothing that signed in before a moment."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from jwt_revoke import api
from tests.strategies.over_http import Phone, log

pytestmark = pytest.mark.django_db


def test_sessions_from_before_the_moment_end_and_later_ones_refresh(user):
    """Both signed in within a second, which a comparison of ``iat`` could not tell apart."""
    early = Phone()
    moment = timezone.now()
    late = Phone(device="laptop")
    api.revoke_user(user, before=moment, reason="stolen_phone")
    assert (early.standing(), late.standing()) == ("revoked", "stale")
    assert not early.may_renew()
    assert late.may_renew()
    assert late.standing() == "live"


def test_log_names_the_sessions_that_ended(user):
    Phone()
    api.revoke_user(user, before=timezone.now(), reason="stolen_phone")
    assert log() == [
        ("user", "stolen_phone", "access"),
        ("session", "stolen_phone", "session"),
    ]


def test_access_token_refreshed_after_the_moment_does_not_save_an_early_session(user):
    phone = Phone()
    moment = timezone.now()
    assert phone.may_renew()
    api.revoke_user(user, before=moment)
    assert phone.standing() == "revoked"


def test_moment_before_every_sign_in_ends_nothing(user):
    phone = Phone()
    api.revoke_user(user, before=timezone.now() - timedelta(days=1))
    assert phone.may_renew()


def test_earlier_moment_given_later_revives_nothing(user):
    """Invariant 6: two cut-offs, and the later one is never masked by the other."""
    phone = Phone()
    api.revoke_user(user, before=timezone.now())
    api.revoke_user(user, before=timezone.now() - timedelta(days=1))
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
