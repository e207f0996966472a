from __future__ import annotations

from uuid import UUID

import pytest

from jwt_revoke.claims import MAX_ID_LENGTH, RESERVED, Claims
from jwt_revoke.exceptions import TokenInvalid

pytestmark = pytest.mark.once

SID = "7c1f1f9e-3f5c-4a39-8b51-f3f0a6a5d9c1"
PAYLOAD = {
    "token_type": "access",
    "sub": "42",
    "sid": SID,
    "jti": "the-token",
    "iat": 1_700_000_000,
    "exp": 1_700_000_300,
    "auth_time": 1_699_999_000,
    "ver": 1_700_000_000_123,
    "gen": 0,
}
TEXTS = ["sub", "jti"]
INTEGERS = ["iat", "exp", "auth_time", "ver", "gen"]


def test_claims_are_read_from_a_payload():
    claims = Claims.from_payload(PAYLOAD)
    assert (claims.sub, claims.sid, claims.jti) == ("42", UUID(SID), "the-token")
    assert [getattr(claims, name) for name in INTEGERS] == [PAYLOAD[name] for name in INTEGERS]


@pytest.mark.parametrize("name", sorted(PAYLOAD))
def test_missing_claim_is_refused(name):
    payload = {key: value for key, value in PAYLOAD.items() if key != name}
    with pytest.raises(TokenInvalid, match=name):
        Claims.from_payload(payload)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", [42, None, True, "", ["42"], "a" * (MAX_ID_LENGTH + 1), "4\x002"])
def test_text_of_another_shape_is_refused(name, value):
    with pytest.raises(TokenInvalid, match=name):
        Claims.from_payload({**PAYLOAD, name: value})


@pytest.mark.parametrize("name", TEXTS)
def test_longest_text_is_taken(name):
    claims = Claims.from_payload({**PAYLOAD, name: "a" * MAX_ID_LENGTH})
    assert getattr(claims, name) == "a" * MAX_ID_LENGTH


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("value", ["1700000000", 1.5, True, None, -1, 2**63])
def test_number_of_another_shape_is_refused(name, value):
    """PyJWT takes an ``exp`` given as text, and ``True`` is a number to Python."""
    with pytest.raises(TokenInvalid, match=name):
        Claims.from_payload({**PAYLOAD, name: value})


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("value", [0, 2**63 - 1])
def test_smallest_and_largest_number_are_taken(name, value):
    assert getattr(Claims.from_payload({**PAYLOAD, name: value}), name) == value


@pytest.mark.parametrize("value", [SID.upper(), SID.replace("-", ""), "{" + SID + "}", "junk"])
def test_session_id_spelt_otherwise_is_refused(value):
    with pytest.raises(TokenInvalid, match="sid"):
        Claims.from_payload({**PAYLOAD, "sid": value})


@pytest.mark.parametrize("value", ["refresh", "ACCESS", None, ["access"]])
def test_token_of_another_type_is_refused(value):
    with pytest.raises(TokenInvalid, match="token_type"):
        Claims.from_payload({**PAYLOAD, "token_type": value})


def test_claims_read_like_a_mapping():
    claims = Claims.from_payload({**PAYLOAD, "role": "editor"})
    assert claims["role"] == "editor"
    assert claims.get("role") == "editor"
    assert claims.get("plan", "free") == "free"
    assert "role" in claims
    assert "plan" not in claims


def test_missing_claim_of_the_sites_own_is_a_key_error():
    with pytest.raises(KeyError):
        Claims.from_payload(PAYLOAD)["role"]


def test_claims_cannot_be_changed():
    with pytest.raises(AttributeError):
        Claims.from_payload(PAYLOAD).sub = "43"


def test_repr_leaves_the_sites_own_claims_out():
    """Invariant 9: they may be anything."""
    claims = Claims.from_payload({**PAYLOAD, "diagnosis": "secret"})
    assert "secret" not in repr(claims)


def test_every_claim_of_ours_is_reserved():
    assert set(PAYLOAD) | {"iss", "aud", "nbf", "client_id", "canary"} == RESERVED
