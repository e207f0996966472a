"""From rows to tokens (DESIGN §5, Minting order)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from jwt_revoke import api, minting
from jwt_revoke.codec import decode_access
from jwt_revoke.exceptions import SignInRefused, TokenRevoked, Unavailable
from jwt_revoke.keystore import key_ring
from jwt_revoke.minting import mint_access, require_live, session_facts, settled_account
from jwt_revoke.models import DeviceSession, Revocation, UserTokenState
from jwt_revoke.testing import Device

pytestmark = pytest.mark.database


def role_claim(user: Any, session: DeviceSession) -> dict[str, Any]:
    return {"role": user.role, "device": session.name}


def claim_of_ours(user: Any, session: DeviceSession) -> dict[str, Any]:
    return {"sub": "1", "ver": 0}


def configure(settings: Any, **values: Any) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, **values}


def test_a_settled_account_takes_one_statement(
    phone: Device, user: Any, django_assert_num_queries: Any
) -> None:
    """Invariant 8: user, version, floors and generation, read together."""
    with django_assert_num_queries(1):
        facts = settled_account("default", user.pk)
    assert facts.version == UserTokenState.objects.get().version


def test_an_account_without_a_state_gets_one(user: Any) -> None:
    facts = settled_account("default", user.pk)
    assert facts.version == facts.session_floor == UserTokenState.objects.get().version


def test_nobody_has_no_account(db: None) -> None:
    with pytest.raises(SignInRefused):
        settled_account("default", 12345)


def test_what_no_signal_saw_is_recorded_before_the_account_is_used(
    phone: Device, user: Any
) -> None:
    before = UserTokenState.objects.get().version
    get_user_model().objects.update(password=make_password("another"))
    facts = settled_account("default", user.pk)
    assert Revocation.objects.get().reason == "password_changed"
    assert facts.version
    assert facts.version > before


def test_a_state_that_a_snapshot_does_not_show_is_503(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a caller's transaction at MariaDB's default isolation: guessing a version would be
    worse than asking the client to come again."""
    monkeypatch.setattr(minting, "ensure_state", lambda using, user: None)
    with pytest.raises(Unavailable):
        settled_account("default", user.pk)


def test_a_user_deleted_after_the_first_read_is_refused(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minting, "ensure_state", lambda using, user: user.delete())
    with pytest.raises(SignInRefused):
        settled_account("default", user.pk)


def test_a_session_is_read_with_its_account_in_one_statement(
    phone: Device, user: Any, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        facts, session, now = session_facts("default", phone.session_id)
    assert facts.user == user
    assert session.refresh_counter == 0
    assert now is not None


def test_no_session_is_a_dead_session(user: Any) -> None:
    with pytest.raises(TokenRevoked):
        session_facts("default", uuid4())


def test_a_session_s_account_is_settled_too(phone: Device) -> None:
    get_user_model().objects.update(is_staff=True)
    session_facts("default", phone.session_id)
    assert Revocation.objects.get().reason == "role_changed"


def test_the_database_s_now_is_that_of_each_read(phone: Device) -> None:
    """Where it is our clock's, it must not be the moment at which the statement was compiled."""
    times = [session_facts("default", phone.session_id)[2] for _ in range(2)]
    assert times[0] < times[1]
    assert abs(times[1] - timezone.now()) < timedelta(seconds=30)


def test_an_inactive_user_goes_no_further(phone: Device) -> None:
    facts, _session, now = session_facts("default", phone.session_id)
    require_live(facts, now)
    facts.user.is_active = False
    with pytest.raises(TokenRevoked):
        require_live(facts, now)


def test_claims_come_from_the_row_that_was_read(phone: Device, user: Any) -> None:
    claims = decode_access(phone.access, key_ring())
    state = UserTokenState.objects.get()
    assert (claims.sub, claims.sid) == (str(user.pk), phone.session_id)
    assert (claims.ver, claims.gen) == (state.version, 0)
    assert claims.exp - claims.iat == 300
    assert claims["auth_time"] == int(phone.device_session.authenticated_at.timestamp())


def test_no_two_tokens_have_one_jti(phone: Device) -> None:
    first = decode_access(phone.access, key_ring()).jti
    phone.refresh_tokens()
    assert decode_access(phone.access, key_ring()).jti != first


def test_a_token_does_not_outlive_its_session(phone: Device) -> None:
    facts, session, now = session_facts("default", phone.session_id)
    session.expires_at = now + timedelta(seconds=20)
    access, expires_in = mint_access(facts, session)
    claims = decode_access(access, key_ring())
    assert claims.exp - claims.iat == expires_in <= 20


def test_a_session_without_an_end_leaves_the_token_its_life(phone: Device) -> None:
    facts, session, _now = session_facts("default", phone.session_id)
    assert mint_access(facts, session)[1] == 300


def test_issuer_audience_and_client_are_said_when_set(user: Any, settings: Any) -> None:
    configure(settings, ISSUER="https://issuer", AUDIENCE="api", CLIENT_ID="app")
    claims = decode_access(Device(user).access, key_ring())
    assert (claims["iss"], claims["aud"], claims["client_id"]) == ("https://issuer", "api", "app")


def test_unset_they_are_not_said(phone: Device) -> None:
    claims = decode_access(phone.access, key_ring())
    assert not {"iss", "aud", "client_id"} & claims.payload.keys()


def test_a_site_s_own_claims_are_told_user_and_session(user: Any, settings: Any) -> None:
    configure(settings, CLAIMS="tests.test_minting.role_claim")
    user.role = "editor"
    user.save()
    claims = decode_access(Device(user, "phone").access, key_ring())
    assert (claims["role"], claims["device"]) == ("editor", "phone")


def test_a_site_s_own_claims_may_not_take_our_names(user: Any, settings: Any) -> None:
    configure(settings, CLAIMS="tests.test_minting.claim_of_ours")
    with pytest.raises(ImproperlyConfigured, match="sub, ver"):
        api.sign_in(user)


def test_tokens_do_not_show_in_a_repr(user: Any) -> None:
    """Invariant 9."""
    tokens = api.sign_in(user)
    assert tokens.access not in repr(tokens)
    assert tokens.refresh not in repr(tokens)


def test_an_opaque_subject_is_read_along_with_the_account(
    user: Any, settings: Any, django_assert_num_queries: Any
) -> None:
    """s12: it costs no statement, and a refresh and a sign-in say the same."""
    configure(settings, SUBJECT="opaque")
    phone = Device(user)
    with django_assert_num_queries(2):
        account = settled_account("default", user.pk)
        facts, session, _now = session_facts("default", phone.session_id)
    assert account.subject == facts.subject == UserTokenState.objects.get().subject
    access, _expires_in = mint_access(facts, session)
    assert decode_access(access, key_ring()).sub == decode_access(phone.access, key_ring()).sub


def test_the_subject_is_the_key_unless_it_is_set_to_be_opaque(phone: Device, user: Any) -> None:
    assert decode_access(phone.access, key_ring()).sub == str(user.pk)


def test_a_renewal_between_the_read_and_the_minting_leaves_a_dead_token(
    user: Any, settings: Any
) -> None:
    """No version, and no id, is read again after that statement."""
    configure(settings, SUBJECT="opaque")
    phone = Device(user)
    facts, session, _now = session_facts("default", phone.session_id)
    api.renew_subject(user, effect="access")
    assert api.is_revoked(mint_access(facts, session)[0])
