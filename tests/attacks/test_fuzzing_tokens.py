"""Tokens that nobody thought of: refused as documented, and only what is genuine is accepted
(invariant 10)."""

from __future__ import annotations

import hmac
import json
import time
from math import isinf
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwt_revoke.codec import RefreshClaims, decode_access, decode_refresh
from jwt_revoke.exceptions import TokenExpired, TokenInvalid
from jwt_revoke.keystore import key_ring, refresh_key_ring
from tests.attacks.forgeries import ALPHABET
from tests.attacks.forging import b64, parts_of, signed, unb64
from tests.attacks.fuzzing import (
    ANY_CHARACTER,
    BITS_OF_JSON,
    any_text,
    examples,
    mutations,
    objects,
    within_texts,
    written,
)

pytestmark = pytest.mark.once

HEADER_NAMES = ("crit", "zip", "b64", "jwk", "jku", "x5u", "x5c", "cty", "enc", "")
CLAIM_NAMES = ("aud", "iss", "nbf", "client_id", "role")
TOO_LONG = st.integers(8180, 8200).map(lambda length: "A" * length)
OF_TOKENS = st.text("ABZabz019-_.=+/ \n\0é", max_size=30)


def accepted(token, ring):
    """The claims, or ``None`` for what is refused; anything else that is raised is a defect."""
    try:
        return decode_access(token, ring)
    except (TokenInvalid, TokenExpired):
        return None


def accepted_refresh(token, ring):
    try:
        return decode_refresh(token, ring)
    except TokenInvalid:
        return None


def holds_an_infinity(value):
    if isinstance(value, dict):
        return any(map(holds_an_infinity, value.values()))
    if isinstance(value, list):
        return any(map(holds_an_infinity, value))
    return isinstance(value, float) and isinf(value)


def is_a_text(value):
    unstorable = isinstance(value, str) and any(
        c == "\0" or "\ud800" <= c <= "\udfff" for c in value
    )
    return isinstance(value, str) and 0 < len(value) < 256 and not unstorable


def is_a_uuid(value):
    try:
        return isinstance(value, str) and str(UUID(value)) == value
    except ValueError:
        return False


def is_of_ours(payload, now):
    """What ``docs/security.md`` says of claims, written once more."""
    numbers = [payload.get(name) for name in ("iat", "exp", "auth_time", "ver", "gen")]
    return (
        payload.get("token_type") == "access"
        and is_a_text(payload.get("sub"))
        and is_a_text(payload.get("jti"))
        and is_a_uuid(payload.get("sid"))
        and all(type(number) is int and 0 <= number < 2**63 for number in numbers)
        and payload.get("aud") is None
        and ("nbf" not in payload or (type(payload["nbf"]) is int and payload["nbf"] <= now))
        and min(payload["exp"], payload["iat"] + 300) > now
        and not holds_an_infinity(payload)
    )


def test_any_header_under_the_right_signature(phone):
    """RFC 8725 §3.1, §3.11: there is one header, whatever the order of its names."""
    ring, (head, body) = key_ring(), parts_of(phone.access)

    @examples(200)
    @given(objects(head, HEADER_NAMES))
    def check(header):
        token = signed(written(header), written(body))
        assert (accepted(token, ring) is not None) == (header == head)

    check()


def test_any_payload_under_the_right_signature(phone, monkeypatch):
    """RFC 8725 §3.8, §3.9, §3.12: accepted is exactly what has all claims, each as it should be."""
    ring, (head, body) = key_ring(), parts_of(phone.access)
    monkeypatch.setattr(time, "time", lambda: body["iat"] + 1.0)

    @examples(300)
    @given(objects(body, CLAIM_NAMES))
    def check(payload):
        claims = accepted(signed(written(head), written(payload)), ring)
        assert (claims is not None) == is_of_ours(payload, time.time()), payload
        assert claims is None or claims.payload == payload

    check()


def test_any_bytes_for_header_and_payload_under_the_right_signature(phone):
    """RFC 8725 §3.7: what does not read as one object of ours is nothing."""
    ring = key_ring()
    head, body = (unb64(part) for part in phone.access.split(".")[:2])

    def pieces(genuine):
        return st.one_of(
            st.just(genuine),
            mutations(genuine, BITS_OF_JSON),
            within_texts(genuine, st.binary(min_size=1, max_size=3)),
            st.binary(max_size=60),
            st.text(ANY_CHARACTER, max_size=20).map(
                lambda text: text.encode("utf-8", "surrogatepass")
            ),
        )

    @examples(200)
    @given(pieces(head), pieces(body))
    def check(header, payload):
        if accepted(signed(header, payload), ring) is not None:
            assert json.loads(header) == json.loads(head)
            assert is_of_ours(json.loads(payload), time.time())

    check()


def test_any_three_segments(phone):
    ring = key_ring()
    segments = st.one_of(
        st.sampled_from(phone.access.split(".")), st.binary(max_size=40).map(b64), OF_TOKENS
    )

    some = st.lists(segments, max_size=4)
    around = st.tuples(some, some).map(lambda more: [*more[0], phone.access, *more[1]])

    @examples(200)
    @given(st.one_of(some, around).map(".".join))
    def check(token):
        assert (accepted(token, ring) is not None) == (token == phone.access)

    check()


def respelt(phone):
    """Another last character of a segment, which may say the same in its first bits, or one more
    character somewhere, which many a decoder passes over."""
    ends = [at for at, char in enumerate(phone.access + ".", -1) if char == "."]
    last = st.tuples(st.sampled_from(ends), st.sampled_from(ALPHABET)).map(
        lambda other: phone.access[: other[0]] + other[1] + phone.access[other[0] + 1 :]
    )
    more = st.tuples(st.integers(1, len(phone.access)), st.sampled_from("=+/ \n.-\0é")).map(
        lambda put: phone.access[: put[0]] + put[1] + phone.access[put[0] :]
    )
    return st.one_of(last, more).map(str.encode)


def test_any_change_of_an_access_token(phone):
    """Cut, flipped, doubled: one text is the token, and no other."""
    ring = key_ring()

    @examples(300)
    @given(st.one_of(mutations(phone.access.encode(), OF_TOKENS.map(str.encode)), respelt(phone)))
    def check(data):
        token = data.decode("utf-8", "replace")
        assert (accepted(token, ring) is not None) == (token == phone.access)

    check()


def test_any_text_for_a_token(db):
    access, refresh = key_ring(), refresh_key_ring()

    @examples(200)
    @given(st.one_of(any_text, OF_TOKENS, TOO_LONG))
    def check(text):
        assert accepted(text, access) is None
        assert accepted_refresh(text, refresh) is None

    check()


def test_any_change_of_a_refresh_token(phone):
    ring = refresh_key_ring()

    @examples(200)
    @given(mutations(phone.refresh_token.encode(), OF_TOKENS.map(str.encode)))
    def check(data):
        token = data.decode("utf-8", "replace")
        assert (accepted_refresh(token, ring) is not None) == (token == phone.refresh_token)

    check()


def test_any_bytes_for_a_refresh_token(phone):
    ring = refresh_key_ring()
    data = unb64(phone.refresh_token)

    @examples(200)
    @given(
        st.one_of(
            st.binary(max_size=80),
            st.binary(min_size=57, max_size=57),
            mutations(data, st.binary(max_size=4)),
        )
    )
    def check(other):
        assert (accepted_refresh(b64(other), ring) is not None) == (other == data)

    check()


def test_any_refresh_token_under_the_right_signature(db):
    """There is one format, and it says what was signed."""
    ring = refresh_key_ring()
    key = ring.signing

    @examples(200)
    @given(st.one_of(st.just(1), st.integers(0, 255)), st.uuids(), st.integers(0, 2**32 - 1))
    def check(form, session_id, counter):
        head = bytes([form]) + key.key_id + session_id.bytes + counter.to_bytes(4, "big")
        found = accepted_refresh(b64(head + hmac.digest(key.secret, head, "sha256")), ring)
        assert found == (RefreshClaims(session_id, counter) if form == 1 else None)

    check()
