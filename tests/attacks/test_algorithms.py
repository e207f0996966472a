"""The algorithm belongs to the key and is never taken from the token (RFC 8725 §2.1, §3.1, §3.2;
ASVS 5.0 V9.1.1, V9.1.2)."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from jwt_revoke.testing import Device
from tests.attacks.forging import b64, changed, forged, parts_of, signed, unb64


def test_the_forger_can_forge(phone, anonymous):
    """What all these tests rely upon: a token that breaks no rule is let in."""
    bearer = f"Bearer {forged(phone.access)}"
    assert anonymous.get("/api/ping/", HTTP_AUTHORIZATION=bearer).status_code == 200


@pytest.mark.parametrize("none", ["none", "None", "NONE", "nOnE", "", "none "])
@pytest.mark.parametrize("signature", ["", "AA"])
def test_alg_none(phone, assert_refused, none, signature):
    head, body = parts_of(phone.access)
    text = f"{b64(changed(head, {'alg': none}))}.{b64(changed(body, {}))}"
    assert_refused(f"{text}.{signature}")


def test_alg_none_beside_the_signature_of_the_right_key(phone, assert_refused):
    assert_refused(forged(phone.access, {"alg": "none"}))


@pytest.mark.parametrize("alg", [None, True, 256, [], {}, ["HS256"], "hs256", "HS256 ", "HS1"])
def test_alg_of_another_type_or_spelling(phone, assert_refused, alg):
    assert_refused(forged(phone.access, {"alg": alg}))


@pytest.mark.parametrize("alg", ["HS384", "HS512"])
def test_the_right_key_with_another_hash(phone, assert_refused, alg):
    head, body = parts_of(phone.access)
    key = None
    assert_refused(signed(changed(head, {"alg": alg}), changed(body, {}), key, alg))


@pytest.fixture(params=["RS256", "PS256", "ES256", "EdDSA"])
def key_pair_site(request, settings, private_keys):
    """The site signs with a key pair. Gives the public key, as anybody may know it."""
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "ALGORITHM": request.param,
        "SIGNING_KEYS": [private_keys[request.param]],
    }
    return load_pem_private_key(private_keys[request.param].encode(), None).public_key()


def test_a_key_pair_site_lets_its_own_tokens_in(key_pair_site, user):
    assert Device(user).get("/api/ping/").status_code == 200


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_a_public_key_as_hmac_secret(key_pair_site, phone, assert_refused, ending):
    """RFC 8725 §2.1: the classic confusion of HS256 and RS256."""
    public = key_pair_site.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body = parts_of(phone.access)
    secret = public.strip() + ending
    assert_refused(signed(changed(head, {"alg": "HS256"}), changed(body, {}), secret))


def test_a_public_key_in_der_as_hmac_secret(key_pair_site, phone, assert_refused):
    public = key_pair_site.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    head, body = parts_of(phone.access)
    assert_refused(signed(changed(head, {"alg": "HS256"}), changed(body, {}), public))


def test_a_public_jwk_as_hmac_secret(key_pair_site, phone, anonymous, assert_refused):
    (jwk,) = anonymous.get("/api/auth/jwks.json").json()["keys"]
    head, body = parts_of(phone.access)
    secret = json.dumps(jwk).encode()
    assert_refused(signed(changed(head, {"alg": "HS256"}), changed(body, {}), secret))


def test_an_empty_hmac_secret(phone, assert_refused):
    head, body = parts_of(phone.access)
    assert_refused(signed(changed(head, {}), changed(body, {}), b""))


def test_a_signature_cut_short(phone, assert_refused):
    head, body, signature = phone.access.split(".")
    for length in (1, 16, 31):
        assert_refused(f"{head}.{body}.{b64(unb64(signature)[:length])}")


def test_a_zero_ecdsa_signature(settings, private_keys, user, phone, assert_refused):
    """CVE-2022-21449: r = s = 0 verified everything."""
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "ALGORITHM": "ES256",
        "SIGNING_KEYS": [private_keys["ES256"]],
    }
    head, body, _ = Device(user).access.split(".")
    assert_refused(f"{head}.{body}.{b64(bytes(64))}")


def test_the_kid_of_another_key_of_the_site(phone, assert_refused, settings):
    """Each key verifies its own tokens and no others."""
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "SIGNING_KEYS": ["another key of the site, 32 bytes long!", *_keys(settings)],
    }
    from jwt_revoke.keystore import key_ring

    new, old = key_ring().keys
    head, body = parts_of(phone.access)
    assert head["kid"] == old.kid
    token = signed(changed(head, {"kid": new.kid}), changed(body, {}), _keys(settings)[1])
    assert_refused(token)


def test_a_token_of_another_site(phone, assert_refused):
    head, body = parts_of(phone.access)
    token = signed(changed(head, {}), changed(body, {}), "the key of quite another site, long")
    assert_refused(token)


def test_a_payload_changed_under_its_signature(phone, assert_refused):
    head, body, signature = phone.access.split(".")
    other = json.loads(unb64(body)) | {"sub": "1000000"}
    assert_refused(f"{head}.{b64(json.dumps(other).encode())}.{signature}")


def _keys(settings):
    return settings.JWT_REVOKE["SIGNING_KEYS"]
