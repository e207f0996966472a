from __future__ import annotations

import base64

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from jwt_revoke import keys
from jwt_revoke.keys import (
    ASYMMETRIC,
    SYMMETRIC,
    KeyRing,
    KeyUnusable,
    RefreshKey,
    RefreshKeyRing,
    TimedKey,
    hkdf,
    load_key,
    load_public_key,
    make_material,
    ring_at,
    thumbprint,
)

pytestmark = pytest.mark.once

SECRET = "a secret of at least sixty-four bytes, as HS512 asks for: 0123456789"


def pem(private, password=None):
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()


def public_pem(private):
    return (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
PRIVATE = {"RS256": RSA, "PS256": RSA, "ES256": P256, "ES384": P384, "EdDSA": ED25519}


def test_hkdf_is_that_of_rfc_5869():
    """Appendix A.3; the other vectors have a salt, which ours never has."""
    derived = hkdf(bytes([0x0B] * 22), b"", 42)
    assert derived.hex() == (
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
    )


@pytest.mark.parametrize("length", [1, 31, 32, 33, 64, 100])
def test_hkdf_of_any_length_is_the_beginning_of_a_longer_one(length):
    other = HKDF(algorithm=SHA256(), length=length, salt=None, info=b"purpose")
    assert hkdf(b"secret", b"purpose", length) == other.derive(b"secret")


def test_hkdf_differs_by_purpose():
    assert hkdf(b"secret", b"one", 32) != hkdf(b"secret", b"another", 32)


def test_thumbprint_is_that_of_rfc_7638():
    """Section 3.1; members that are not required must not change it."""
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_B"
        "JECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F"
        "DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4"
        "vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}
    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.parametrize("algorithm", SYMMETRIC)
def test_shared_secret_signs_what_it_verifies(algorithm):
    key = load_key(algorithm, SECRET)
    token = jwt.encode({"sub": "1"}, key.signs, algorithm)
    assert jwt.decode(token, key.verifies, [algorithm]) == {"sub": "1"}
    assert key.public is None


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_private_key_signs_what_its_public_part_verifies(algorithm):
    key = load_key(algorithm, pem(PRIVATE[algorithm]))
    token = jwt.encode({"sub": "1"}, key.signs, algorithm)
    published = jwt.PyJWK(key.public)
    assert jwt.decode(token, key.verifies, [algorithm]) == {"sub": "1"}
    assert jwt.decode(token, published, [algorithm]) == {"sub": "1"}


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_published_key_holds_no_private_part(algorithm):
    public = load_key(algorithm, pem(PRIVATE[algorithm])).public
    assert not public.keys() & {"d", "p", "q", "dp", "dq", "qi", "k", "key_ops"}
    assert public["use"] == "sig"
    assert public["alg"] == algorithm


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_key_id_of_a_private_key_is_its_thumbprint(algorithm):
    key = load_key(algorithm, pem(PRIVATE[algorithm]))
    assert key.kid == key.public["kid"] == thumbprint(key.public)


def test_key_id_of_a_secret_gives_nothing_of_it_away():
    key = load_key("HS256", SECRET)
    assert len(base64.urlsafe_b64decode(key.kid)) == 12
    assert key.kid == load_key("HS256", SECRET.encode()).kid
    assert key.kid != load_key("HS256", SECRET + "x").kid


@pytest.mark.parametrize(("algorithm", "least"), [("HS256", 32), ("HS384", 48), ("HS512", 64)])
def test_short_secret_is_refused(algorithm, least):
    """PyJWT by itself only warns."""
    assert load_key(algorithm, "x" * least)
    with pytest.raises(KeyUnusable, match="too short"):
        load_key(algorithm, "x" * (least - 1))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256"])
def test_short_rsa_key_is_refused(algorithm):
    short = rsa.generate_private_key(65537, 1024)
    with pytest.raises(KeyUnusable, match="too short"):
        load_key(algorithm, pem(short))


@pytest.mark.parametrize("text", [pem(RSA), public_pem(RSA)])
def test_pem_as_shared_secret_is_refused(text):
    """The public part is known to everybody: whoever has it could sign."""
    with pytest.raises(KeyUnusable):
        load_key("HS256", text)


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_public_key_is_refused_where_one_must_sign(algorithm):
    with pytest.raises(KeyUnusable, match="public key"):
        load_key(algorithm, public_pem(PRIVATE[algorithm]))


@pytest.mark.parametrize(
    ("algorithm", "private"),
    [
        ("RS256", P256),
        ("ES256", RSA),
        ("ES256", P384),
        ("ES384", P256),
        ("EdDSA", RSA),
        ("EdDSA", P256),
        ("EdDSA", x25519.X25519PrivateKey.generate()),
        ("RS256", dsa.generate_private_key(2048)),
    ],
)
def test_key_of_another_kind_is_refused(algorithm, private):
    with pytest.raises(KeyUnusable):
        load_key(algorithm, pem(private))


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
@pytest.mark.parametrize(
    "material", [SECRET, "", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"]
)
def test_what_is_no_pem_is_refused_as_private_key(algorithm, material):
    with pytest.raises(KeyUnusable):
        load_key(algorithm, material)


def test_encrypted_pem_is_refused():
    with pytest.raises(KeyUnusable):
        load_key("RS256", pem(RSA, b"password"))


@pytest.mark.parametrize("algorithm", ["none", "HS1", "hs256", "ES256K", "RS512", ""])
def test_other_algorithm_is_refused(algorithm):
    with pytest.raises(KeyUnusable):
        load_key(algorithm, SECRET)


def test_missing_cryptography_is_told_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setattr(keys, "has_crypto", False)
    with pytest.raises(KeyUnusable, match=r"django-jwt-revoke\[crypto\]"):
        load_key("RS256", pem(RSA))
    assert load_key("HS256", SECRET)


def test_refusal_does_not_quote_the_key():
    """Invariant 9."""
    with pytest.raises(KeyUnusable) as refused:
        load_key("RS256", SECRET)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


def test_ed448_signs_too():
    key = load_key("EdDSA", pem(ed448.Ed448PrivateKey.generate()))
    assert key.public["crv"] == "Ed448"


def test_first_key_of_a_ring_signs_and_all_are_found():
    first, second = load_key("HS256", SECRET), load_key("HS256", SECRET + "2")
    ring = KeyRing((first, second))
    assert ring.signing is first
    assert (ring.find(first.kid), ring.find(second.kid)) == (first, second)
    assert ring.find("unknown") is None


def test_first_key_of_a_refresh_ring_signs_and_all_are_found():
    first, second = RefreshKey.from_secret(b"1" * 32), RefreshKey.from_secret(b"2" * 32)
    ring = RefreshKeyRing((first, second))
    assert ring.signing is first
    assert (ring.find(first.key_id), ring.find(second.key_id)) == (first, second)
    assert ring.find(b"none") is None


def test_short_refresh_secret_is_refused():
    with pytest.raises(KeyUnusable, match="31 bytes"):
        RefreshKey.from_secret(b"x" * 31)


def test_no_key_shows_itself():
    """Invariant 9."""
    shown = repr(KeyRing((load_key("HS256", SECRET), load_key("RS256", pem(RSA)))))
    shown += repr(RefreshKeyRing((RefreshKey.from_secret(SECRET.encode()),)))
    assert SECRET not in shown
    assert "PRIVATE" not in shown
    assert "object at" not in shown


# --- public keys, and new ones


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_public_jwk_verifies_under_the_same_id_and_signs_nothing(algorithm):
    whole = load_key(algorithm, pem(PRIVATE[algorithm]))
    public = load_public_key(algorithm, whole.public)
    assert (public.kid, public.public, public.signs) == (whole.kid, whole.public, None)
    token = jwt.encode({"sub": "42"}, whole.signs, algorithm)
    assert jwt.decode(token, public.verifies, [algorithm]) == {"sub": "42"}


@pytest.mark.parametrize(
    ("algorithm", "jwk"),
    [
        ("ES256", {"kty": "RSA"}),
        ("ES256", {}),
        ("ES384", load_key("ES256", pem(P256)).public),
        ("RS256", load_key("ES256", pem(P256)).public),
        ("EdDSA", {"kty": "OKP", "crv": "Ed25519", "x": "!"}),
        ("HS256", {"kty": "EC"}),
    ],
)
def test_a_public_jwk_of_another_kind_is_refused(algorithm, jwk):
    with pytest.raises(KeyUnusable, match=f"not a key for {algorithm}"):
        load_public_key(algorithm, jwk)


def test_a_private_jwk_is_not_taken_for_a_public_one():
    """Its members would be published."""
    private = jwt.get_algorithm_by_name("ES256").to_jwk(P256, as_dict=True)
    with pytest.raises(KeyUnusable, match="a private key"):
        load_public_key("ES256", private)


@pytest.mark.parametrize("algorithm", SYMMETRIC + ASYMMETRIC)
def test_new_keys_are_long_enough_and_never_the_same(algorithm):
    first, second = (load_key(algorithm, make_material(algorithm)) for _ in range(2))
    assert first.kid != second.kid


def test_new_rsa_keys_have_128_bits_of_security():
    """NIST SP 800-57 part 1, table 2."""
    assert load_key("PS256", make_material("PS256")).verifies.key_size == 3072


@pytest.mark.parametrize("algorithm", ["none", "HS1", "ES512", ""])
def test_no_key_is_made_for_an_algorithm_that_is_none_of_ours(algorithm):
    with pytest.raises(KeyUnusable, match="is none of"):
        make_material(algorithm)


# --- keys in time


def timed(name, *terms):
    return TimedKey(keys.Key(name, "HS256", b"", b""), *terms)


def order(keys, now):
    return [key.kid for key in ring_at(keys, now)[0].keys]


def test_of_keys_that_sign_the_one_that_began_last_does():
    assert order([timed("old", 10), timed("new", 20)], 30) == ["new", "old"]


def test_a_key_that_is_to_sign_verifies_before_it_does():
    keys = [timed("next", 40), timed("now", 10), timed("waits", None)]
    assert order(keys, 30) == ["now", "next", "waits"]


def test_a_key_signs_from_its_first_moment_on():
    keys = [timed("old", 10), timed("new", 40)]
    assert (order(keys, 39.9)[0], order(keys, 40)[0]) == ("old", "new")


def test_a_key_that_signed_verifies_until_its_term():
    keys = [timed("old", 10, 40, 50), timed("new", 40)]
    assert order(keys, 49.9) == ["new", "old"]
    assert order(keys, 50) == ["new"]


def test_where_no_key_signs_the_last_one_that_did_goes_on():
    """A clock that is behind that of whoever set the terms."""
    keys = [timed("old", 5, 8), timed("last", 10, 20), timed("next", 40), timed("waits", None)]
    assert order(keys, 30) == ["last", "old", "next", "waits"]


def test_configured_keys_keep_their_order():
    keys = [timed(name, 0.0) for name in "abc"]
    assert order(keys, 30) == ["a", "b", "c"]


def test_the_ring_stands_until_the_next_term():
    keys = [timed("old", 10, 40, 50), timed("new", 40), timed("waits", None)]
    assert [ring_at(keys, now)[1] for now in (30, 40, 50)] == [40, 50, float("inf")]
