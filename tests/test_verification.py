"""Tokens meet keys of their own time: what a process knows of the keys, and when it looks again."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone
from rest_framework.test import APIClient

from jwt_revoke import api, keystore, rotation
from jwt_revoke.codec import encode_access, encode_refresh
from jwt_revoke.exceptions import (
    TokenExpired,
    TokenInvalid,
    TokenRefused,
    TokenStale,
    Unavailable,
    UnknownKey,
)
from jwt_revoke.key_compromise import compromise
from jwt_revoke.keys import KeyRing
from jwt_revoke.keystore import key_ring, refresh_key_ring, signing_key_ring
from jwt_revoke.log import Cause
from jwt_revoke.models import Revocation, SigningKey
from jwt_revoke.signing_keys import create, retire, rotate
from jwt_revoke.testing import Device
from jwt_revoke.verification import verified_claims
from tests.attacks.forging import b64, changed, parts_of
from tests.conftest import credentials
from tests.stored import after, clock, elsewhere
from tests.strategies.conftest import replica, stateless

__all__ = ["clock", "replica", "stateless"]

pytestmark = pytest.mark.django_db

LEAK = Cause("key_compromised")
OTHER_KEY = "another-key-for-tests-of-more-than-32-bytes"


@pytest.fixture
def asked():
    """The statements that asked for keys."""
    with CaptureQueriesContext(connection) as captured:
        yield lambda: [q["sql"] for q in captured if "jwt_revoke_signing_key" in q["sql"]]


@pytest.fixture
def broken():
    """``with broken():`` no keys can be read."""

    def refuse(execute, sql, *args):
        if "jwt_revoke_signing_key" in sql or "jwt_revoke_generation" in sql:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, *args)

    return lambda: connection.execute_wrapper(refuse)


def presented(token):
    """The answer to whoever brings that token."""
    return APIClient(HTTP_AUTHORIZATION=f"Bearer {token}").get("/api/ping/")


def forged(device, ring, **changes):
    """What whoever has the ring's first key can make of a token of the device's."""
    return encode_access({**verified_claims(device.access).payload, **changes}, ring)


# --- keys from the settings


def test_a_process_asks_once_for_what_is_marked(phone, asked):
    keystore.forget_keys()
    for _ in range(3):
        assert phone.get("/api/ping/").status_code == 200
    phone.refresh_tokens()
    assert len(asked()) == 1


def test_a_newer_generation_is_asked_about_once(user, asked):
    key_ring()
    api.revoke_everyone()
    before = len(asked())
    phone = Device(user)
    for _ in range(3):
        assert phone.get("/api/ping/").status_code == 200
    assert len(asked()) == before + 1


def test_an_unknown_kid_asks_nobody(user, clock, asked):
    """Settings do not change under a running process."""
    api.revoke_everyone()
    assert Device(user).get("/api/ping/").status_code == 200
    clock(1.5)
    before = asked()
    unknown = encode_access({}, KeyRing((keystore.replace(key_ring().signing, kid="unknown"),)))
    with pytest.raises(UnknownKey):
        verified_claims(unknown)
    assert asked() == before


# --- a compromise, in a process that was not told


@pytest.fixture
def two_keys(settings):
    """A new first key in the settings beside the one that all tokens were signed with."""
    keys = [OTHER_KEY, *settings.JWT_REVOKE["SIGNING_KEYS"]]
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SIGNING_KEYS": keys}
    return key_ring().keys


def test_a_thief_s_token_of_the_new_generation_meets_the_new_keys(phone, two_keys):
    """Invariant 1: a leaked key signs whatever generation its thief has learnt of."""
    _new, lost = two_keys
    with elsewhere():
        compromise("default", lost.kid, LEAK)
    generation = api.revoke_everyone(effect="access")
    stolen = forged(phone, KeyRing((lost,)), gen=generation)
    assert key_ring().find(lost.kid)  # nobody told this process
    assert presented(stolen).status_code == 401
    with pytest.raises(TokenStale):
        verified_claims(stolen)


def test_without_the_compromise_that_token_would_be_let_in(phone, two_keys):
    """What the test above relies upon."""
    generation = api.revoke_everyone(effect="access")
    assert presented(forged(phone, KeyRing(two_keys[1:]), gen=generation)).status_code == 200


def test_a_thief_s_token_of_the_old_generation_is_refused_by_the_backend(phone, two_keys):
    _new, lost = two_keys
    stolen = forged(phone, KeyRing((lost,)))
    with elsewhere():
        compromise("default", lost.kid, LEAK)
    assert key_ring().find(lost.kid)
    assert presented(stolen).status_code == 401


def test_a_generation_ahead_of_the_database_is_refused(phone):
    """Whoever has the key can write any number there."""
    stolen = forged(phone, key_ring(), gen=2**62)
    assert presented(stolen).status_code == 401


def test_the_next_refresh_signs_with_a_key_of_its_generation(user, stored_keys):
    phone, before = Device(user), key_ring().signing
    with elsewhere():
        compromise("default", before.kid, LEAK)
    assert key_ring().signing == before
    phone.refresh_tokens()
    assert key_ring().signing != before
    assert phone.get("/api/ping/").status_code == 200


def test_the_next_sign_in_signs_with_a_key_of_its_generation(user, stored_keys):
    before = key_ring().signing
    with elsewhere():
        compromise("default", before.kid, LEAK)
    phone = Device(user)
    assert phone.get("/api/ping/").status_code == 200
    assert parts_of(phone.access)[0]["kid"] != before.kid


def test_a_refresh_by_a_compromised_key_is_refused_though_its_session_is_new(user, settings):
    """A session opened after the compromise is above everybody's floor."""
    keys = [OTHER_KEY, *settings.JWT_REVOKE["REFRESH_KEYS"]]
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REFRESH_KEYS": keys}
    _new, lost = refresh_key_ring().keys
    with elsewhere():
        compromise("default", lost.key_id.hex(), LEAK)
        phone = Device(user)
    claims = rotation.RefreshClaims(phone.session_id, 0)
    stolen = encode_refresh(claims, keystore.RefreshKeyRing((lost,)))
    with elsewhere(), pytest.raises(TokenInvalid):
        api.refresh(stolen)
    answer = phone.post("/api/auth/token/verify/", {"token": stolen})
    assert answer.status_code == 401


def test_keys_that_cannot_be_read_are_not_guessed(phone, two_keys, broken):
    """Invariant 4: 503, never 200 and never 500."""
    token = forged(phone, KeyRing(two_keys[:1]), gen=2**62)
    with broken(), pytest.raises(Unavailable):
        verified_claims(token)
    with broken():
        answer = presented(token)
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")


def test_a_process_whose_every_key_is_marked_answers_503(user, two_keys, settings, caplog):
    """Invariant 4: a worker of the deployment before, say."""
    phone = Device(user)
    _new, old = two_keys
    compromise("default", old.kid, LEAK)
    left = [settings.JWT_REVOKE["SIGNING_KEYS"][1]]
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SIGNING_KEYS": left}
    answer = APIClient().post("/api/auth/token/", credentials())
    assert answer.status_code == 503
    assert "put a new one first" in caplog.text
    assert phone.get("/api/auth/jwks.json").json() == {"keys": []}


def test_a_process_whose_every_refresh_key_is_marked_answers_503(user, settings):
    old = settings.JWT_REVOKE["REFRESH_KEYS"]
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REFRESH_KEYS": [OTHER_KEY, *old]}
    compromise("default", refresh_key_ring().keys[1].key_id.hex(), LEAK)
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REFRESH_KEYS": old}
    assert APIClient().post("/api/auth/token/", credentials()).status_code == 503


def test_a_process_that_starts_knows_what_is_marked(phone, two_keys, stateless):
    """Invariant 6. No backend judges these: log-out, the published keys, the stateless one."""
    _new, lost = two_keys
    stolen = forged(phone, KeyRing((lost,)))
    compromise("default", lost.kid, LEAK)
    keystore.forget_keys()
    assert presented(stolen).status_code == 401
    logged_out = APIClient(HTTP_AUTHORIZATION=f"Bearer {stolen}").post("/api/auth/logout/")
    assert logged_out.status_code == 401
    assert phone.device_session.ended_at is None


def test_a_replica_that_starts_knows_the_generation(phone, two_keys, replica):
    """Invariant 6: the entry leaves the log with the last honest token that it covers."""
    _new, lost = two_keys
    stolen = forged(phone, KeyRing((lost,)), gen=0, sid=str(uuid4()))
    compromise("default", lost.kid, LEAK)
    SigningKey.objects.all().delete()  # let the backend alone refuse it
    Revocation.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    replica(max_staleness=0)
    assert presented(stolen).status_code == 401


# --- keys in the database


def test_another_process_s_key_is_found_by_its_first_token(user, stored_keys, clock):
    """One that was made and signs between two reads, as after a compromise."""
    phone, before = Device(user), key_ring().signing
    with elsewhere():
        compromise("default", before.kid, LEAK)
        phone.refresh_tokens()
    clock(1.5)
    assert phone.get("/api/ping/").status_code == 200


def test_ten_thousand_unknown_kids_cost_no_more_than_one(user, stored_keys, clock, asked):
    create("default")
    phone = Device(user)
    clock(1.5)
    before = len(asked())
    for number in range(10_000):
        with pytest.raises(TokenRefused):
            verified_claims(_with_kid(phone.access, f"kid-{number}"))
    assert len(asked()) - before == 1


def test_unknown_kids_do_not_ask_a_database_that_is_away_each_time(
    user, stored_keys, clock, broken, django_assert_num_queries
):
    phone = Device(user)
    clock(1.5)
    junk = [_with_kid(phone.access, f"kid-{number}") for number in range(20)]
    with broken():
        with pytest.raises(Unavailable):
            verified_claims(junk[0])
        with django_assert_num_queries(0):
            for token in junk[1:]:
                with pytest.raises(TokenStale):
                    verified_claims(token)


def test_a_new_key_s_token_in_the_second_after_a_look_up_is_stale(user, stored_keys, clock):
    """Its client refreshes, and does not sign out, whatever junk others send."""
    phone, before = Device(user), key_ring().signing
    with pytest.raises(UnknownKey):
        verified_claims(_with_kid(phone.access, "junk"))
    with elsewhere():
        compromise("default", before.kid, LEAK)
        phone.refresh_tokens()
    with pytest.raises(TokenStale):
        verified_claims(phone.access)
    clock(1.5)
    assert verified_claims(phone.access)


def _with_kid(token, kid):
    head, _body = parts_of(token)
    return ".".join([b64(changed(head, {"kid": kid})), *token.split(".")[1:]])


def test_keys_are_read_again_every_interval_and_not_sooner(stored_keys, clock, asked):
    key_ring()
    with elsewhere():
        key = create("default")
    clock(59)
    assert key_ring().find(key.kid) is None
    clock(2)
    assert key_ring().find(key.kid)


def test_while_one_reads_the_others_go_on(stored_keys, clock, monkeypatch):
    before, real = key_ring(), keystore._rows
    meanwhile = []

    def slowly():
        meanwhile.append(key_ring())
        return real()

    monkeypatch.setattr(keystore, "_rows", slowly)
    clock(61)
    key_ring()
    assert meanwhile == [before]


def test_reading_again_what_is_the_same_keeps_the_verified_tokens(
    user, stored_keys, clock, verified
):
    phone = Device(user)
    assert phone.get("/api/ping/").status_code == 200
    seen = len(verified)
    clock(61)
    assert phone.get("/api/ping/").status_code == 200
    assert len(verified) == seen


def test_a_changed_ring_forgets_the_verified_tokens(user, stored_keys, clock, verified):
    """s18: a key that was retired verifies nothing from memory."""
    phone = Device(user)
    phone.get("/api/ping/")
    seen = len(verified)
    with elsewhere():
        create("default")
    clock(61)
    assert phone.get("/api/ping/").status_code == 200
    assert len(verified) == seen + 1


def test_expiry_is_judged_though_the_signature_was_verified(user, verified, monkeypatch):
    """s18: nothing but the signature is saved."""
    token = Device(user).access
    ends = verified_claims(token).exp
    monkeypatch.setattr(time, "time", lambda: ends - 0.5)
    assert verified_claims(token)
    monkeypatch.setattr(time, "time", lambda: float(ends))
    with pytest.raises(TokenExpired):
        verified_claims(token)
    assert verified_claims(token, expired_too=True)
    assert verified == [token]


def test_a_lifetime_that_is_lowered_ends_a_token_that_was_verified(user, settings):
    token = forged(Device(user), key_ring(), iat=int(time.time()) - 100)
    assert verified_claims(token)
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "ACCESS_TOKEN_LIFETIME": timedelta(seconds=60)}
    with pytest.raises(TokenExpired):
        verified_claims(token)


@pytest.mark.parametrize("setting", ["ISSUER", "AUDIENCE"])
def test_an_issuer_or_audience_that_changes_is_compared_again(user, settings, setting):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, setting: "https://site.example"}
    token = Device(user).access
    assert verified_claims(token)
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, setting: "https://moved.example"}
    with pytest.raises(TokenInvalid):
        verified_claims(token)


def test_a_scheme_that_is_no_longer_ours_is_not_remembered(user, settings):
    phone = Device(user)
    assert phone.get("/api/ping/").status_code == 200
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "AUTH_HEADER_TYPES": ["JWT"]}
    header = f"Bearer {phone.access}"
    assert APIClient().get("/api/ping/", HTTP_AUTHORIZATION=header).status_code == 401


def test_what_one_request_does_to_its_claims_another_does_not_see(user):
    """Or a view that appends to a list would hand out roles for as long as the token lives."""
    own = {"roles": ["reader"], "tenant": {"id": 1, "plans": ["free"]}}
    token = forged(Device(user), key_ring(), **own)
    claims = verified_claims(token)
    claims["roles"].append("admin")
    claims["tenant"]["plans"].append("paid")
    with pytest.raises(TypeError):
        claims.payload["sub"] = "1"
    again = verified_claims(token)
    assert (again["roles"], again["tenant"]) == (own["roles"], own["tenant"])


def test_a_database_that_is_away_leaves_the_keys_as_they_were(user, stored_keys, clock, broken):
    phone = Device(user)
    clock(61)
    with broken():
        assert verified_claims(phone.access)


def test_keys_that_were_never_read_are_503(user, stored_keys, broken):
    phone = Device(user)
    keystore.forget_keys()
    with broken():
        assert phone.get("/api/ping/").status_code == 503


def test_an_honest_token_of_a_retired_key_is_stale(user, stored_keys):
    """So that its client refreshes, and does not sign out."""
    rotate("default")
    after(hours=1)
    phone, (old,) = Device(user), key_ring().keys
    rotate("default")
    after(minutes=8)
    retire("default", old.kid, force=True)
    keystore.forget_keys()
    with pytest.raises(TokenStale):
        verified_claims(phone.access)


def test_a_key_whose_secret_is_not_at_hand_verifies_and_signs_nothing(user, stored_keys, caplog):
    rotate("default")
    after(hours=1)
    phone = Device(user)
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_ENCRYPTION_KEYS": []}
    assert phone.get("/api/ping/").status_code == 200
    answer = phone.post("/api/auth/token/refresh/", {"refresh": phone.refresh_token})
    assert answer.status_code == 503
    assert "KEY_ENCRYPTION_KEYS" in caplog.text
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_ENCRYPTION_KEYS": ["x"]}
    assert phone.get("/api/ping/").status_code == 200


def test_a_secret_that_another_process_encrypts_anew_is_at_hand_again(user, stored_keys, clock):
    """A process that was deployed with the new encryption key alone, a moment too early."""
    old = stored_keys.JWT_REVOKE["KEY_ENCRYPTION_KEYS"]
    new = [Fernet.generate_key().decode()]
    rotate("default")
    after(hours=1)
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_ENCRYPTION_KEYS": new}
    assert key_ring().signing.signs is None
    with elsewhere():
        settings = {**stored_keys.JWT_REVOKE, "KEY_ENCRYPTION_KEYS": [*new, *old]}
        with override_settings(JWT_REVOKE=settings):
            rotate("default")
    clock(61)
    assert key_ring().signing.signs


@pytest.mark.parametrize("public", ["", "{}", "no JSON"])
def test_tokens_of_a_stored_key_that_cannot_be_read_are_503(user, stored_keys, caplog, public):
    """Invariant 4: they are not invalid, they cannot be judged."""
    rotate("default", "HS256")
    after(hours=1)
    phone = Device(user)
    SigningKey.objects.update(public=public)
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_ENCRYPTION_KEYS": []}
    assert phone.get("/api/ping/").status_code == 503
    assert APIClient().post("/api/auth/token/", credentials()).status_code == 503
    assert f"Stored key {SigningKey.objects.get().kid} cannot sign" in caplog.text
    assert phone.get("/api/auth/jwks.json").json() == {"keys": []}


def test_an_idle_process_signs_with_no_key_that_retired_meanwhile(
    user, stored_keys, clock, monkeypatch, broken
):
    """Its first read fails, on a connection that went stale over night."""
    rotate("default")
    after(hours=1)
    phone, old = Device(user), key_ring().signing
    with elsewhere():
        rotate("default")
        after(hours=1)
    clock(3600)
    with broken():
        assert key_ring().signing == old  # it verifies on with what it has
        with pytest.raises(Unavailable):
            signing_key_ring()
    phone.refresh_tokens()
    assert parts_of(phone.access)[0]["kid"] != old.kid


def test_while_one_reads_nobody_signs_by_a_copy_of_long_ago(stored_keys, clock, monkeypatch):
    rotate("default")
    after(hours=1)
    old, real, meanwhile = key_ring().signing, keystore._rows, []
    with elsewhere():
        rotate("default")
        after(hours=1)

    def slowly():
        if not meanwhile:
            meanwhile.append(None)
            meanwhile.append(signing_key_ring().signing)
        return real()

    monkeypatch.setattr(keystore, "_rows", slowly)
    clock(3600)
    key_ring()
    assert meanwhile[1] != old
