"""The algorithm belongs to the key and is never taken from the token (RFC 8725 §2.1, §3.1, §3.2;
ASVS 5.0 V9.1.1, V9.1.2)."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any, NamedTuple

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from jwt.utils import der_to_raw_signature, raw_to_der_signature

from jwt_revoke import api
from jwt_revoke.keys import ASYMMETRIC, SYMMETRIC
from jwt_revoke.keystore import key_ring
from tests.attacks.conftest import pem
from tests.attacks.forging import HASHES, b64, changed, forged, parts_of, signed, unb64
from tests.wire import AUTH

# Refused before the database is asked, whichever it is.
pytestmark = pytest.mark.once

SECRET = "a secret of the site's that is long enough for HS512: sixty-four bytes, or more"
PAIRS = list(permutations((*SYMMETRIC, *ASYMMETRIC), 2))
"""All (the site's algorithm, the one that the token names)."""
INTO_HMAC = [pair for pair in PAIRS if pair[0] in ASYMMETRIC and pair[1] in SYMMETRIC]
ONE_KEY = [
    *(pair for pair in PAIRS if {name[:2] for name in pair} in ({"HS"}, {"ES"})),
    ("RS256", "PS256"),
    ("PS256", "RS256"),
]
"""Those that one and the same key can sign for."""


class Site(NamedTuple):
    """What the site signs with."""

    algorithm: str
    key: Any


def claiming(token: str, named: str, *, key: Any, alg: str, **header: Any) -> str:
    """``token``, whose header names one algorithm, signed by another or by that one.

    By hand: PyJWT neither writes one name and signs by another, nor takes a PEM for a secret.
    """
    head, body = parts_of(token)
    head_bytes, body_bytes = changed(head, {"alg": named, **header}), changed(body, {})
    if alg in HASHES:
        return signed(head_bytes, body_bytes, key, alg)
    text = f"{b64(head_bytes)}.{b64(body_bytes)}"
    return f"{text}.{b64(jwt.get_algorithm_by_name(alg).sign(text.encode(), key))}"


@pytest.fixture(scope="session")
def attackers_keys():
    """Algorithm → a key that the site has never seen."""
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        "RS256": rsa_key,
        "PS256": rsa_key,
        "ES256": ec.generate_private_key(ec.SECP256R1()),
        "ES384": ec.generate_private_key(ec.SECP384R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
    }


@pytest.fixture
def site(request, settings, private_keys):
    """The site signs with the algorithm that the test names, and says with which key."""
    text = private_keys.get(request.param, SECRET)
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "ALGORITHM": request.param,
        "SIGNING_KEYS": [text],
    }
    key = text if request.param in SYMMETRIC else load_pem_private_key(text.encode(), None)
    return Site(request.param, key)


def each(*algorithms):
    return pytest.mark.parametrize("site", algorithms, indirect=True)


def each_pair(pairs):
    return pytest.mark.parametrize(("site", "named"), pairs, indirect=["site"])


@each(*SYMMETRIC, *ASYMMETRIC)
def test_the_forger_can_forge(site, phone, anonymous):
    """What all these tests rely upon: a token that breaks no rule is let in."""
    token = claiming(phone.access, site.algorithm, key=site.key, alg=site.algorithm)
    for letting_in in (phone.access, token):
        bearer = f"Bearer {letting_in}"
        assert anonymous.get("/api/ping/", HTTP_AUTHORIZATION=bearer).status_code == 200


@pytest.mark.parametrize("none", ["none", "None", "NONE", "nOnE", "", "none "])
@pytest.mark.parametrize("signature", ["", "AA"])
def test_alg_none(phone, assert_refused, none, signature):
    """RFC 8725 §2.1: CVE-2018-1000531."""
    head, body = parts_of(phone.access)
    text = f"{b64(changed(head, {'alg': none}))}.{b64(changed(body, {}))}"
    assert_refused(f"{text}.{signature}")


def test_alg_none_beside_the_signature_of_the_right_key(phone, assert_refused):
    assert_refused(forged(phone.access, {"alg": "none"}))


@pytest.mark.parametrize("alg", [None, True, 256, [], {}, ["HS256"], "hs256", "HS256 ", "HS1"])
def test_alg_of_another_type_or_spelling(phone, assert_refused, alg):
    assert_refused(forged(phone.access, {"alg": alg}))


@each_pair(PAIRS)
def test_the_right_signature_under_the_name_of_another_algorithm(
    site, phone, assert_refused, named
):
    """RFC 8725 §3.1: the header does not choose, and it must agree."""
    assert_refused(claiming(phone.access, named, key=site.key, alg=site.algorithm))


@each_pair(ONE_KEY)
def test_the_right_key_under_another_algorithm(site, phone, assert_refused, named):
    """RFC 8725 §3.1: a key is used with one algorithm, though it would fit two."""
    assert_refused(claiming(phone.access, named, key=site.key, alg=named))


@each_pair([pair for pair in PAIRS if pair[1] in ASYMMETRIC])
def test_a_key_pair_of_the_attackers_own(site, phone, assert_refused, attackers_keys, named):
    """RFC 8725 §3.1: what the site's key does not fit is not thereby verified."""
    assert_refused(claiming(phone.access, named, key=attackers_keys[named], alg=named))


def pem_forms(public, _published):
    """CVE-2015-9235, CVE-2016-10555; PKCS #1: CVE-2017-11424."""
    text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    yield from (text, text.strip(), text.replace(b"\n", b"\r\n"), b"".join(text.split(b"\n")[1:-2]))
    if isinstance(public, rsa.RSAPublicKey):
        yield public.public_bytes(Encoding.PEM, PublicFormat.PKCS1)


def der_forms(public, _published):
    """CVE-2024-33663."""
    yield public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(public, rsa.RSAPublicKey):
        yield public.public_bytes(Encoding.DER, PublicFormat.PKCS1)


def openssh_forms(public, _published):
    """CVE-2022-29217, CVE-2024-33663."""
    text = public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    yield from (text, text + b"\n")


def jwk_forms(_public, published):
    """As the site publishes it, whole and each key of it."""
    (jwk,) = json.loads(published)["keys"]
    without_ours = {name: jwk[name] for name in jwk.keys() - {"kid", "alg", "use"}}
    yield published
    for key in (jwk, without_ours):
        yield json.dumps(key).encode()
        yield json.dumps(key, separators=(",", ":"), sort_keys=True).encode()


def raw_forms(public, _published):
    """The bare number, point or bytes: PyJWT alone takes these for a secret like any other."""
    if isinstance(public, rsa.RSAPublicKey):
        yield public.public_numbers().n.to_bytes(256, "big")
    elif isinstance(public, ec.EllipticCurvePublicKey):
        yield public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        yield public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    else:
        yield public.public_bytes(Encoding.Raw, PublicFormat.Raw)


FORMS = {
    "pem": pem_forms,
    "der": der_forms,
    "openssh": openssh_forms,
    "jwk": jwk_forms,
    "raw": raw_forms,
}


@each_pair(INTO_HMAC)
@pytest.mark.parametrize("form", FORMS)
def test_a_public_key_as_hmac_secret(site, phone, anonymous, assert_refused, named, form):
    """RFC 8725 §2.1, CVE-2024-37568: everybody has it, in whatever form the verifier does."""
    published = anonymous.get(AUTH + "jwks.json").content
    for secret in FORMS[form](site.key.public_key(), published):
        assert_refused(claiming(phone.access, named, key=secret, alg=named))


def test_an_empty_hmac_secret(phone, assert_refused):
    """RFC 8725 §3.5: CVE-2019-20933."""
    head, body = parts_of(phone.access)
    assert_refused(signed(changed(head, {}), changed(body, {}), b""))


def test_a_signature_cut_short(phone, assert_refused):
    """RFC 8725 §3.3: CVE-2020-28042."""
    head, body, signature = phone.access.split(".")
    for length in (1, 16, 31):
        assert_refused(f"{head}.{body}.{b64(unb64(signature)[:length])}")


@each("ES256", "ES384")
def test_a_zero_ecdsa_signature(site, phone, assert_refused):
    """RFC 8725 §3.3, CVE-2022-21449: r = s = 0 verified everything."""
    head, body, signature = phone.access.split(".")
    assert_refused(f"{head}.{body}.{b64(bytes(len(unb64(signature))))}")


CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1()}
ORDERS = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
        16,
    ),
}
"""Of the group of each (SP 800-186 §3.2.1). Not every version of cryptography knows them."""


@each(*CURVES)
def test_the_other_signature_of_ecdsa_is_the_same_token(site, phone, anonymous, assert_refused):
    """(r, n - s) verifies wherever (r, s) does: a denylist of texts would be passed by."""
    head, body, signature = phone.access.split(".")
    r, s = decode_dss_signature(raw_to_der_signature(unb64(signature), CURVES[site.algorithm]))
    other = encode_dss_signature(r, ORDERS[site.algorithm] - s)
    twin = f"{head}.{body}.{b64(der_to_raw_signature(other, CURVES[site.algorithm]))}"
    bearer = f"Bearer {twin}"
    assert anonymous.get("/api/ping/", HTTP_AUTHORIZATION=bearer).status_code == 200
    api.revoke_token(phone.access)
    assert_refused(twin, "stale")


@pytest.fixture
def site_of_two(request, settings, private_keys, attackers_keys):
    """The site signs with the first algorithm and verifies the second too: with which key."""
    own, other = request.param
    key = attackers_keys.get(other, f"another of {SECRET}")
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "SIGNING_KEYS": [
            {"algorithm": own, "key": private_keys.get(own, SECRET)},
            {"algorithm": other, "key": key if other in SYMMETRIC else pem(key)},
        ],
    }
    return Site(other, key)


@pytest.mark.parametrize("site_of_two", PAIRS, indirect=True, ids="-".join)
def test_the_kid_of_a_key_of_another_algorithm(site_of_two, phone, anonymous, assert_refused):
    """RFC 8725 §3.1: on its way from one algorithm to another a site has keys of both."""
    alg, key = site_of_two
    kid = key_ring().keys[1].kid
    right = f"Bearer {claiming(phone.access, alg, key=key, alg=alg, kid=kid)}"
    assert anonymous.get("/api/ping/", HTTP_AUTHORIZATION=right).status_code == 200
    assert_refused(claiming(phone.access, alg, key=key, alg=alg))


def test_the_kid_of_another_key_of_the_site(phone, assert_refused, settings):
    """Each key verifies its own tokens and no others."""
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "SIGNING_KEYS": ["another key of the site, 32 bytes long!", *_keys(settings)],
    }
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
