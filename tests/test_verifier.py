"""What is remembered of verified tokens (s18): it saves the signature and nothing else."""

from __future__ import annotations

import base64

import pytest

from jwt_revoke.codec import decode_access
from jwt_revoke.exceptions import TokenInvalid
from jwt_revoke.verifier import AnotherScheme, AnotherSpelling, token_of, verifier
from tests.test_codec import RING, signed

pytestmark = pytest.mark.once


@pytest.fixture
def remember(settings):
    """``remember(size)``: verifies tokens by the ring, and keeps so many."""

    def make(size=10):
        settings.JWT_REVOKE = {"VERIFIED_CACHE_SIZE": size}
        found = verifier(RING)
        return lambda token: found(f"Bearer {token}")[0]

    return make


def test_signature_is_verified_once(remember, verified):
    token, decode = signed(), remember()
    assert decode(token) is decode(token)
    assert decode(token) == decode_access(token, RING)
    assert verified == [token, token]


def test_junk_is_not_remembered_and_drives_nothing_out(remember, verified):
    """Whoever sends a million forged tokens does not make us verify everybody's anew."""
    decode, token = remember(1), signed()
    decode(token)
    head, body, _ = token.split(".")
    for junk in ("nonsense", f"{head}.{body}.{'A' * 43}", signed(sub=7)):
        for _ in range(2):
            with pytest.raises(TokenInvalid):
                decode(junk)
    verified.clear()
    decode(token)
    assert verified == []


@pytest.mark.parametrize("spelling", ["BEARER {}", "Bearer  {}", "Bearer {} ", " Bearer {}"])
def test_one_token_does_not_fill_the_memory_by_its_spellings(spelling):
    """Spaces and capitals are free: a holder of one token could drive out everybody's."""
    found, token = verifier(RING), signed()
    with pytest.raises(AnotherSpelling) as caught:
        found(spelling.format(token))
    assert caught.value.usual == f"Bearer {token}"
    assert token not in repr(caught.value)
    assert found(f"Bearer {token}")
    assert found(f"bearer {token}")


def test_memory_of_no_size_is_off(remember, verified):
    decode, token = remember(0), signed()
    decode(token)
    decode(token)
    assert verified == [token, token]


def test_full_memory_lets_the_longest_unused_go(remember, verified):
    decode, (one, two, three) = remember(2), (signed(), signed(), signed())
    for token in (one, two, one, three, one, two):
        decode(token)
    assert verified == [one, two, three, two]


@pytest.mark.parametrize("spelling", ["{}=", "{}==", "{}.", "{} x"])
def test_second_spelling_of_a_verified_token_is_refused(remember, spelling):
    decode, token = remember(), signed()
    decode(token)
    with pytest.raises(TokenInvalid):
        decode(spelling.format(token))


def test_spare_bits_of_a_verified_token_are_not_free(remember):
    """The last character of 32 bytes in base64url has two bits that say nothing."""
    decode, token = remember(), signed()
    decode(token)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    twin = token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]
    assert base64.urlsafe_b64decode(twin[-43:] + "=") == base64.urlsafe_b64decode(token[-43:] + "=")
    with pytest.raises(TokenInvalid, match="canonical"):
        decode(twin)


# What of a header is a token.


@pytest.mark.parametrize("header", ["Bearer a.b.c", "bearer  a.b.c", " \tBEARER a.b.c \t"])
def test_token_follows_a_scheme_in_any_case(header):
    """RFC 9110 §11.1."""
    assert token_of(header) == "a.b.c"


@pytest.mark.parametrize("header", ["", "a.b.c", "Basic a.b.c", "Bearera.b.c", "Bearer\ta.b.c"])
def test_header_without_a_scheme_of_ours_is_nobody_s(header):
    with pytest.raises(AnotherScheme):
        token_of(header)
    with pytest.raises(AnotherScheme):
        verifier(RING)(header)


@pytest.mark.parametrize("header", ["Bearer", "Bearer  "])
def test_scheme_without_a_token_is_refused(header):
    with pytest.raises(TokenInvalid):
        token_of(header)


def test_verified_token_without_its_scheme_is_not_found_in_memory():
    found, token = verifier(RING), signed()
    found(f"Bearer {token}")
    with pytest.raises(AnotherScheme):
        found(token)
