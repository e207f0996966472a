"""Round trips and bounds. What attackers send is in tests/attacks."""

from __future__ import annotations

import base64
import struct
import time
from datetime import timedelta
from uuid import UUID, uuid4

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured
from jwt.exceptions import PyJWTError

from jwt_revoke import codec
from jwt_revoke.codec import (
    MAX_ACCESS_LENGTH,
    MAX_NESTING,
    RefreshClaims,
    decode_access,
    decode_refresh,
    encode_access,
    encode_refresh,
    life_end,
    looks_like_refresh,
)
from jwt_revoke.exceptions import TokenExpired, TokenInvalid
from jwt_revoke.keys import (
    ASYMMETRIC,
    SYMMETRIC,
    Key,
    KeyRing,
    RefreshKey,
    RefreshKeyRing,
    load_key,
)
from tests.test_keys import PRIVATE, SECRET, pem

pytestmark = pytest.mark.once

RING = KeyRing((load_key("HS256", SECRET),))
REFRESH = RefreshKeyRing((RefreshKey.from_secret(SECRET.encode()),))
SESSION = UUID("7c1f1f9e-3f5c-4a39-8b51-f3f0a6a5d9c1")


def payload(**changes):
    now = int(time.time())
    return {
        "token_type": "access",
        "sub": "42",
        "sid": str(SESSION),
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + 300,
        "auth_time": now,
        "ver": 1,
        "gen": 0,
        **changes,
    }


@pytest.mark.parametrize("algorithm", SYMMETRIC + ASYMMETRIC)
def test_access_token_comes_back_as_it_was(algorithm):
    material = PRIVATE.get(algorithm)
    ring = KeyRing((load_key(algorithm, pem(material) if material else SECRET),))
    said = payload(role="editor")
    assert decode_access(encode_access(said, ring), ring).payload == said


def test_header_is_that_of_rfc_9068():
    header = jwt.get_unverified_header(encode_access(payload(), RING))
    assert header == {"alg": "HS256", "kid": RING.signing.kid, "typ": "at+jwt"}


def test_token_of_any_key_of_the_ring_is_read():
    new = KeyRing((load_key("HS256", SECRET + "new"), RING.signing))
    assert decode_access(encode_access(payload(), RING), new).sub == "42"


def test_token_of_no_key_of_the_ring_is_refused():
    other = KeyRing((load_key("HS256", SECRET + "new"),))
    with pytest.raises(TokenInvalid, match="unknown key"):
        decode_access(encode_access(payload(), RING), other)


def test_names_and_text_of_the_sites_own_survive():
    said = payload(**{"https://site.example/rôle": "rédactrice ✓", "nested": {"a": [1, None]}})
    assert decode_access(encode_access(said, RING), RING).payload == said


def test_longest_token_that_is_written_is_read():
    room = MAX_ACCESS_LENGTH - len(encode_access(payload(own=""), RING))
    token = encode_access(payload(own="x" * (room * 3 // 4)), RING)
    assert MAX_ACCESS_LENGTH - 4 < len(token) <= MAX_ACCESS_LENGTH
    assert decode_access(token, RING).sub == "42"


def test_token_that_nobody_would_read_is_not_written():
    with pytest.raises(ImproperlyConfigured, match="CLAIMS"):
        encode_access(payload(own="x" * MAX_ACCESS_LENGTH), RING)


@pytest.mark.parametrize("whole", [list, tuple, dict])
@pytest.mark.parametrize("levels", [MAX_NESTING, 5_000])
def test_claims_that_nest_too_deep_to_be_let_in_are_not_signed(whole, levels):
    """The site's mistake is told to the site, and not to each of its users by a dead token."""
    own = "in the middle"
    for _ in range(levels):
        own = {"own": own} if whole is dict else whole([own])
    with pytest.raises(ImproperlyConfigured, match="CLAIMS"):
        encode_access(payload(own=own), RING)


def test_claims_that_nest_as_deep_as_they_may_come_back():
    own = "in the middle"
    for _ in range(MAX_NESTING - 1):
        own = [own]
    assert decode_access(encode_access(payload(own=own), RING), RING)["own"] == own


def test_token_one_character_too_long_is_refused_unread():
    with pytest.raises(TokenInvalid, match="8 KiB"):
        decode_access("x" * (MAX_ACCESS_LENGTH + 1), RING)


@pytest.mark.parametrize(("age", "live"), [(299, True), (300, False), (301, False)])
def test_token_dies_in_the_second_it_says(age, live, monkeypatch):
    token = encode_access(payload(iat=1_000_000, exp=1_000_300), RING)
    monkeypatch.setattr(codec.time, "time", lambda: 1_000_000.0 + age)
    if live:
        assert decode_access(token, RING)
    else:
        with pytest.raises(TokenExpired):
            decode_access(token, RING)


def test_expired_token_is_read_where_any_age_will_do():
    token = encode_access(payload(iat=1_000_000, exp=1_000_300), RING)
    assert decode_access(token, RING, expired_too=True).exp == 1_000_300


def test_lifetime_as_set_now_caps_a_longer_one(settings):
    settings.JWT_REVOKE = {"ACCESS_TOKEN_LIFETIME": timedelta(seconds=60)}
    claims = decode_access(encode_access(payload(), RING), RING)
    assert life_end(claims) == claims.iat + 60


def test_lifetime_as_set_now_does_not_stretch_a_shorter_one(settings):
    settings.JWT_REVOKE = {"ACCESS_TOKEN_LIFETIME": timedelta(hours=1)}
    claims = decode_access(encode_access(payload(), RING), RING)
    assert life_end(claims) == claims.exp


def test_leeway_is_added_to_the_end(settings):
    settings.JWT_REVOKE = {"LEEWAY": timedelta(seconds=10)}
    claims = decode_access(encode_access(payload(), RING), RING)
    assert life_end(claims) == claims.exp + 10


def test_token_from_a_clock_slightly_ahead_is_read():
    now = int(time.time())
    assert decode_access(encode_access(payload(iat=now + 2, exp=now + 302), RING), RING)


@pytest.mark.parametrize(("setting", "claim"), [("ISSUER", "iss"), ("AUDIENCE", "aud")])
def test_issuer_and_audience_are_compared_where_set(setting, claim, settings):
    settings.JWT_REVOKE = {setting: "https://site.example"}
    good = encode_access(payload(**{claim: "https://site.example"}), RING)
    assert decode_access(good, RING)[claim] == "https://site.example"
    for other in (payload(**{claim: "https://other.example"}), payload()):
        with pytest.raises(TokenInvalid):
            decode_access(encode_access(other, RING), RING)


def test_token_for_some_audience_is_refused_where_none_is_set():
    with pytest.raises(TokenInvalid):
        decode_access(encode_access(payload(aud="https://other.example"), RING), RING)


@pytest.mark.parametrize("counter", [0, 1, 2**32 - 1])
def test_refresh_token_comes_back_as_it_was(counter):
    claims = RefreshClaims(SESSION, counter)
    token = encode_refresh(claims, REFRESH)
    assert decode_refresh(token, REFRESH) == claims
    assert looks_like_refresh(token)


def test_refresh_token_is_derived_and_so_the_same_whoever_writes_it():
    """Invariant 5."""
    claims = RefreshClaims(SESSION, 7)
    assert encode_refresh(claims, REFRESH) == encode_refresh(claims, REFRESH)


def test_refresh_tokens_of_a_session_differ_beyond_their_counter():
    one, two = (encode_refresh(RefreshClaims(SESSION, counter), REFRESH) for counter in (1, 2))
    assert one[-43:] != two[-43:]


def test_refresh_token_of_any_key_of_the_ring_is_read():
    token = encode_refresh(RefreshClaims(SESSION, 1), REFRESH)
    new = RefreshKeyRing((RefreshKey.from_secret(b"n" * 32), REFRESH.signing))
    assert decode_refresh(token, new).counter == 1


def test_refresh_token_of_no_key_of_the_ring_is_refused():
    token = encode_refresh(RefreshClaims(SESSION, 1), REFRESH)
    other = RefreshKeyRing((RefreshKey.from_secret(b"n" * 32),))
    with pytest.raises(TokenInvalid, match="unknown refresh key"):
        decode_refresh(token, other)


def test_refresh_token_of_another_format_is_refused():
    data = bytearray(base64.urlsafe_b64decode(encode_refresh(RefreshClaims(SESSION, 1), REFRESH)))
    struct.pack_into("B", data, 0, 2)
    with pytest.raises(TokenInvalid, match="format"):
        decode_refresh(base64.urlsafe_b64encode(data).decode(), REFRESH)


@pytest.mark.parametrize("position", [5, 20, 24, 25, 56])
def test_refresh_token_with_one_bit_changed_is_refused(position):
    data = bytearray(base64.urlsafe_b64decode(encode_refresh(RefreshClaims(SESSION, 1), REFRESH)))
    data[position] ^= 1
    with pytest.raises(TokenInvalid, match="signature"):
        decode_refresh(base64.urlsafe_b64encode(data).decode(), REFRESH)


def test_access_token_does_not_look_like_a_refresh_token():
    assert not looks_like_refresh(encode_access(payload(), RING))


def signed(ring=RING, **changes):
    return encode_access(payload(**changes), ring)


def test_a_token_may_be_used_from_its_nbf_on():
    assert decode_access(signed(nbf=int(time.time()) - 1), RING)
    with pytest.raises(TokenInvalid):
        decode_access(signed(nbf=int(time.time()) + 60), RING)


@pytest.mark.parametrize("error", [PyJWTError, TypeError, ValueError])
def test_whatever_the_library_makes_of_a_signature_is_a_refusal(monkeypatch, error):
    """Invariant 10."""

    def verified(*_arguments):
        raise error

    monkeypatch.setattr(Key, "verified", verified)
    with pytest.raises(TokenInvalid):
        decode_access(signed(), RING)
