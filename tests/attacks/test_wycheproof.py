"""Project Wycheproof's vectors for JSON web signatures, by the two steps that read a token.

No vector has a ``typ``, so none could be an access token, and a test of the whole would pass
whatever else was broken. The steps can fail: ``read_header`` judges the spelling,
``read_payload`` the signature, by a key with an algorithm of its own. What both let pass is
authentic here, although its payload is "foo", say, and no claims.

Of our algorithms the vectors have HS256, RS256, PS256 and ES256.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, Final

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.exceptions import PyJWTError

from jwt_revoke.codec import decode_access, read_header, read_payload
from jwt_revoke.exceptions import TokenInvalid
from jwt_revoke.keys import ASYMMETRIC, SYMMETRIC, Key, KeyRing, KeyUnusable, load_key
from tests.attacks.forging import unb64

FOLDER: Final = Path(__file__).resolve().parents[3] / "shared" / "wycheproof"
OURS: Final = (*SYMMETRIC, *ASYMMETRIC)
NO_CLAIMS: Final = {"not a JSON object", "not JSON, or JSON with a name twice"}
"""What ``read_payload`` says after the signature: of a payload that is signed and no object."""
NO_TYP: Final = "header parameters other than alg, kid, typ"

MISLABELLED: Final = {367: 357, 370: 357}
"""Invalid ones that are, to the letter, a valid one: C2SP/wycheproof#236. The padding that they
are named after is in ``test_spelling.py``."""
VALID_AND_REFUSED: Final = {
    259: "not a compact JWS",  # an empty payload
    272: "not a compact JWS",  # likewise
    346: "alg is not the key's",  # by PS384, with a key that is said to be for PS256
    350: "alg is not the key's",  # likewise
    372: "not a compact JWS",  # "?" within the header: RFC 7515 §5.2 says to refuse it
    373: "not a compact JWS",  # within the payload
}

pytestmark = pytest.mark.once

# Where they are required the fixture fails.
if not (FOLDER.exists() or os.environ.get("CI") or os.environ.get("TEST_REQUIRED")):
    pytest.skip("Project Wycheproof is not in ../shared", allow_module_level=True)


@dataclass(frozen=True)
class Vector:
    """One of the vectors, and the key that it is to be judged by."""

    id: int
    valid: bool
    jws: str
    public: dict[str, Any]
    """The JWK, as a verifier is given it; a shared secret likewise."""
    private: dict[str, Any]
    material: bytes
    """The key as a site has it in its settings: a secret, or a private key in PEM."""

    @property
    def algorithm(self) -> str | None:
        return self.public.get("alg")

    @property
    def key(self) -> Key | None:
        """The key of its own algorithm; ``None`` where that is none of ours."""
        return configured(self.algorithm, self.material) if self.algorithm in OURS else None

    def refusal(self, key: Key) -> str | None:
        """Why it is refused with that key; ``None`` when it is authentic."""
        try:
            read_header(self.jws)
        except TokenInvalid as refused:
            return refused.detail
        return self.refusal_of_signature(key)

    def refusal_of_signature(self, key: Key) -> str | None:
        try:
            read_payload(self.jws, key)
        except TokenInvalid as refused:
            return None if refused.detail in NO_CLAIMS else refused.detail
        return None


def written(jwk: dict[str, Any]) -> bytes:
    if jwk["kty"] == "oct":
        return unb64(jwk["k"])
    private = jwt.PyJWK(jwk).key
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def configured(algorithm: str, material: bytes) -> Key | None:
    """The key of a site with that algorithm; ``None`` where it does not fit."""
    try:
        return load_key(algorithm, material)
    except KeyUnusable:
        return None


def in_a_ring(key: Key, kid: str) -> KeyRing:
    return KeyRing((replace(key, kid=kid),))


@pytest.fixture(scope="module")
def vectors() -> dict[int, Vector]:
    found = {}
    data = json.loads((FOLDER / "json_web_signature_test.json").read_text())
    for group in data["testGroups"]:
        private = group["private"]
        keys = group.get("public", private), private, written(private)
        for test in group["tests"]:
            valid = {"valid": True, "invalid": False}[test["result"]]
            found[test["tcId"]] = Vector(test["tcId"], valid, test["jws"], *keys)
    return found


@pytest.fixture
def for_us(vectors) -> list[Vector]:
    """Those whose key is for an algorithm of ours."""
    return [vector for vector in vectors.values() if vector.key is not None]


@pytest.fixture
def for_others(vectors) -> list[Vector]:
    """Those whose key is for an algorithm that is none of ours."""
    return [vector for vector in vectors.values() if vector.algorithm not in {None, *OURS}]


def test_the_vectors_are_all_there(vectors):
    """Each is in one of the tests below: for us, for others, for encryption."""
    ours = {"HS256": 40, "RS256": 233, "PS256": 50, "ES256": 39}
    others = {"RS384": 4, "RS512": 4, "PS384": 5, "PS512": 20, "ES521": 2}
    assert len(vectors) == 401
    assert Counter(vector.algorithm for vector in vectors.values()) == ours | others | {None: 4}


def test_nothing_invalid_is_authentic(vectors, for_us):
    """RFC 8725 §3.3, but for two that no verifier could tell from a valid one."""
    invalid = [vector for vector in for_us if not vector.valid]
    authentic = {vector.id for vector in invalid if vector.refusal(vector.key) is None}
    assert authentic == MISLABELLED.keys()
    for number, twin in MISLABELLED.items():
        assert vectors[number].jws == vectors[twin].jws
        assert vectors[number].public == vectors[twin].public


def test_what_is_valid_is_authentic(for_us):
    """And so the refusals are not those of a verifier that refuses everything."""
    valid = [vector for vector in for_us if vector.valid]
    refused = {vector.id: vector.refusal(vector.key) for vector in valid}
    assert {number: why for number, why in refused.items() if why} == VALID_AND_REFUSED
    assert len(valid) - len(VALID_AND_REFUSED) == 22


@pytest.mark.parametrize("number", [259, 272])
def test_an_empty_payload_is_refused_for_its_shape_alone(vectors, number):
    """Its signature is right; a token of ours has claims."""
    assert vectors[number].refusal_of_signature(vectors[number].key) is None


def test_most_of_what_is_invalid_is_refused_for_its_signature(for_us):
    """RFC 8725 §3.3: padding of RSA, salt of PSS, r and s of ECDSA. No other rule hides it."""
    invalid = [vector for vector in for_us if not vector.valid]
    reasons = Counter(vector.refusal(vector.key) for vector in invalid)
    assert reasons["signature"] > 280


def test_a_key_for_another_algorithm_is_no_key_of_ours(for_others):
    """RFC 8725 §3.2: so a ring never has it."""
    for vector in for_others:
        with pytest.raises(KeyUnusable, match="is none of"):
            load_key(vector.algorithm, vector.material)


def test_a_key_is_not_used_beyond_the_algorithm_it_is_given(for_others):
    """RFC 8725 §3.1: two are signed by RS256 and PS256 with a key for PS512. They are authentic
    where a site says that its key is for that algorithm, and nowhere else."""
    authentic = {
        (vector.id, algorithm)
        for vector, algorithm in product(for_others, OURS)
        if (key := configured(algorithm, vector.material)) and vector.refusal(key) is None
    }
    assert authentic == {(332, "RS256"), (338, "PS256")}


def test_none_is_an_access_token(vectors):
    """Not even with its own key in the ring, under its own ``kid``."""
    site = load_key("HS256", b"the key of a site, of 32 bytes or more")
    for vector in vectors.values():
        ring = in_a_ring(vector.key or site, vector.public["kid"])
        with pytest.raises(TokenInvalid):
            decode_access(vector.jws, ring)


def by_pyjwt_alone(vector: Vector) -> bool:
    key = jwt.PyJWK(vector.public)
    try:
        jwt.PyJWS().decode(vector.jws, key, algorithms=[key.algorithm_name])
    except PyJWTError:
        return False
    return True


FOR_ENCRYPTION: Final = {353: "RS256", 354: "ES256", 355: "RS256", 356: "ES256"}
"""The JWK says ``use: enc`` or ``key_ops: [encrypt]``, and PyJWT does not look."""


def test_pyjwt_alone_accepts_six_that_are_invalid(vectors):
    invalid = [vector for vector in vectors.values() if not vector.valid]
    accepted = {vector.id for vector in invalid if by_pyjwt_alone(vector)}
    assert accepted == FOR_ENCRYPTION.keys() | MISLABELLED.keys()


@pytest.mark.parametrize("number", [*FOR_ENCRYPTION, *MISLABELLED])
def test_what_pyjwt_alone_accepts_is_refused(vectors, number):
    """RFC 8725 §3.11: with that very key in the ring, for the algorithm that the token names."""
    vector = vectors[number]
    algorithm = FOR_ENCRYPTION.get(number, "HS256")
    key = configured(algorithm, vector.material)
    assert vector.refusal(key) is None
    ring = in_a_ring(key, read_header(vector.jws)["kid"])
    with pytest.raises(TokenInvalid, match=NO_TYP):
        decode_access(vector.jws, ring)


@pytest.mark.parametrize("number", FOR_ENCRYPTION)
@pytest.mark.parametrize("algorithm", OURS)
def test_a_jwk_in_the_settings_is_refused(vectors, number, algorithm):
    """So there is no ``use`` and no ``key_ops`` to overlook: the site says what its key is for."""
    vector = vectors[number]
    for jwk in (vector.public, vector.private):
        with pytest.raises(KeyUnusable):
            load_key(algorithm, json.dumps(jwk))
