"""Every forged refresh token that the tests of attacks know, in one place: name → text."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Final
from uuid import UUID

from jwt_revoke import codec
from jwt_revoke.codec import RefreshClaims, encode_refresh
from jwt_revoke.keys import RefreshKey, RefreshKeyRing
from jwt_revoke.keystore import refresh_key_ring

Named = Iterator[tuple[str, str]]
ANOTHER: Final = b"the refresh key of quite another site"
INSIDE: Final = "=+/.% \t\n\0\x7f\xa0é\u200b\u2028\uff21\ud800"


def changed_bytes(token: str) -> Named:
    """Each of the 57 is under the signature, or is it."""
    data = base64.urlsafe_b64decode(token)
    for at in range(len(data)):
        for flip in (0x01, 0x80):
            other = bytearray(data)
            other[at] ^= flip
            yield f"bit {flip:#x} of byte {at}", base64.urlsafe_b64encode(bytes(other)).decode()


def other_lengths(token: str) -> Named:
    for length in (1, 4, 36, 72, 75):
        yield f"cut to {length}", token[:length]
    for junk in ("A", "AAAA", "=", "====", ".", "%00", token, "A" * 8193, "A" * 60_000):
        yield f"with {len(junk)} of {junk[0]!r} behind it", token + junk


def spellings(token: str) -> Named:
    """RFC 4648 §3.3, §5: other characters for the same bytes, and in between."""
    data = base64.urlsafe_b64decode(token)
    yield "in hexadecimal", data.hex()
    yield "in base 32", base64.b32encode(data).decode()
    yield "in the other case", token.swapcase()
    yield "backwards", token[::-1]
    yield "in quotes", f'"{token}"'
    yield "twice", f"{token},{token}"
    for at in (1, 38, 75):
        for char in INSIDE:
            yield f"U+{ord(char):04X} put in at {at}", token[:at] + char + token[at:]
            yield f"U+{ord(char):04X} in place of {at}", token[:at] + char + token[at + 1 :]


def signed_otherwise(token: str) -> Named:
    """By another key, under whatever id, or in another place."""
    ours = refresh_key_ring()
    claims = codec.decode_refresh(token, ours)
    others = {
        "another key": RefreshKey.from_secret(ANOTHER),
        "another key by our key's id": RefreshKey(ours.signing.key_id, ANOTHER),
        "our key by another id": RefreshKey(b"\0\0\0\0", ours.signing.secret),
        "an empty key by our key's id": RefreshKey(ours.signing.key_id, b""),
        "the key's id by our key's id": RefreshKey(ours.signing.key_id, ours.signing.key_id),
    }
    for name, key in others.items():
        yield name, encode_refresh(claims, RefreshKeyRing((key,)))
    signature = base64.urlsafe_b64decode(token)[-32:]
    for name, other in {
        "counted up": RefreshClaims(claims.session_id, claims.counter + 1),
        "counted to the end": RefreshClaims(claims.session_id, 2**32 - 1),
        "of another session": RefreshClaims(UUID(int=claims.session_id.int ^ 1), claims.counter),
        "of no session": RefreshClaims(UUID(int=0), claims.counter),
    }.items():
        head = base64.urlsafe_b64decode(encode_refresh(other, ours))[:-32]
        yield f"{name} under its signature", base64.urlsafe_b64encode(head + signature).decode()


FAMILIES: Final = (changed_bytes, other_lengths, spellings, signed_otherwise)


def refresh_forgeries(token: str) -> dict[str, str]:
    """Name → text of everything that can be made of a genuine refresh token."""
    found: dict[str, str] = {}
    for family in FAMILIES:
        for name, text in family(token):
            if text == token:
                continue  # the character stood there already
            assert f"{family.__name__}: {name}" not in found, name
            found[f"{family.__name__}: {name}"] = text
    return found
