"""s11: a global "last valid issue time", the generation."""

from __future__ import annotations

import pytest

from jwt_revoke import api
from tests.strategies.over_http import Phone, log

pytestmark = pytest.mark.django_db


def test_new_generation_ends_every_session(user):
    phone = Phone()
    api.revoke_everyone(reason="breach")
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
    assert log() == [("everyone", "breach", "session")]


def test_token_issued_in_the_second_of_the_revocation_lives(user):
    """Not compared with ``iat``, which is a whole second wide."""
    phone = Phone()
    generation = api.revoke_everyone()
    phone.sign_in()
    assert phone.claims["gen"] == generation
    assert phone.standing() == "live"


def test_token_issued_just_before_is_dead_though_its_second_is_the_same(user):
    api.revoke_everyone()
    phone = Phone()
    api.revoke_everyone()
    assert phone.standing() == "revoked"


def test_effect_access_makes_everybody_refresh(user):
    phone = Phone()
    api.revoke_everyone(effect="access")
    assert phone.standing() == "stale"
    assert phone.may_renew()
    assert phone.standing() == "live"


def test_generation_rises_even_when_the_clock_steps_back(user, monkeypatch):
    """Invariant 6."""
    first = api.revoke_everyone()
    phone = Phone()
    monkeypatch.setattr("time.time_ns", lambda: 1_000_000_000)
    assert api.revoke_everyone() > first
    assert phone.standing() == "revoked"
