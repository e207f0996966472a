"""Tokens to and from text: access tokens (RFC 9068, by PyJWT) and refresh tokens (ours).

Whatever is refused here is refused before the database is asked. An access token is known by its
``jti`` and never by its text; even so a second spelling of the same token (padding, spare bits)
is refused, so that nobody downstream can be fooled by one. (An ECDSA signature has a twin that
verifies too: the text is no name for a token whatever is refused.)
"""

from __future__ import annotations

import base64
import hmac
import json
import re
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import isinf
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import jwt
from django.core.exceptions import ImproperlyConfigured
from jwt.exceptions import PyJWTError

from .claims import Claims
from .conf import conf
from .exceptions import TokenExpired, TokenInvalid, Unavailable, UnknownKey
from .keys import Key, KeyRing, RefreshKeyRing

MAX_ACCESS_LENGTH: Final = 8192
MAX_NESTING: Final = 64
"""Lists and objects within each other. Left to Python's stack, the bound would be another wherever
it is called from, and what was read could be too deep for whoever copies it."""
TYPE: Final = "at+jwt"
_HEADER: Final = frozenset({"alg", "kid", "typ"})
_HEADERS_KNOWN: Final = 64
"""Every token of a key has the same; junk can but drive one out, which is then read again."""
_ACCESS_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+){2}", re.ASCII)

_REFRESH_FORMAT: Final = 1
_REFRESH_HEAD: Final = struct.Struct(">B4s16sI")
_REFRESH_LENGTH: Final = 76
"""57 bytes in base64url: a multiple of three, so there is no padding and no spare bit."""
_REFRESH_SHAPE: Final = re.compile(rf"[A-Za-z0-9_-]{{{_REFRESH_LENGTH}}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class RefreshClaims:
    """What an authentic refresh token says: its session and its place in the succession."""

    session_id: UUID
    counter: int
    key_id: bytes = field(default=b"", compare=False)
    """Of the key that it was signed with, where it was read from text."""


_SIGNER: Final = jwt.PyJWT({"enforce_minimum_key_length": True})


def encode_access(payload: Mapping[str, Any], ring: KeyRing) -> str:
    """The signed access token for ``payload``."""
    key = ring.signing
    if key.signs is None:
        # 503, and what to do in the log: the keys of the other processes may be whole.
        raise Unavailable(f"the private part of key {key.kid} is not at hand")
    if _nests_too_deep(payload):
        raise ImproperlyConfigured(
            f"The access token nests deeper than {MAX_NESTING} lists and objects: let the function "
            "in JWT_REVOKE['CLAIMS'] return less."
        )
    token = _SIGNER.encode(
        dict(payload), key.signs, key.algorithm, headers={"typ": TYPE, "kid": key.kid}
    )
    if len(token) > MAX_ACCESS_LENGTH:
        raise ImproperlyConfigured(
            f"The access token has {len(token)} characters and may have {MAX_ACCESS_LENGTH}: "
            "let the function in JWT_REVOKE['CLAIMS'] return less."
        )
    return token


def decode_access(raw: str, ring: KeyRing, *, expired_too: bool = False) -> Claims:
    """The claims of an authentic access token.

    Raises ``TokenInvalid``, or ``TokenExpired`` unless ``expired_too`` (log-out takes a token of
    any age).
    """
    claims = _verify(raw, ring)
    if not expired_too and life_end(claims) <= time.time():
        raise TokenExpired
    return claims


def _verify(raw: str, ring: KeyRing) -> Claims:
    header = read_header(raw)
    # exp: judged at each sight, and capped by today's ACCESS_TOKEN_LIFETIME. iat: only ever
    # shortens a life here, and refusing one from the future would refuse fresh tokens of a clock
    # half a second ahead.
    # Ours have these three and nothing else: no crit, no zip, no b64, no embedded or linked key
    # (jwk, jku, x5c, x5u), so there is none to be obeyed by mistake.
    if header.keys() != _HEADER:
        raise TokenInvalid("header parameters other than alg, kid, typ")
    if header["typ"] != TYPE:
        raise TokenInvalid("typ is not at+jwt")
    if not isinstance(header["kid"], str):
        raise TokenInvalid("kid is not a text")
    key = ring.find(header["kid"])
    if key is None:
        raise UnknownKey(header["kid"])
    if key.verifies is None:
        raise Unavailable(f"key {key.kid} is stored, and cannot be read")
    payload = read_payload(raw, key)
    _require_for_us(payload)
    return Claims.from_payload(payload)


def read_header(raw: str) -> Mapping[str, Any]:
    """The header of what is spelt as a compact JWS must be; nothing of it is verified yet."""
    if len(raw) > MAX_ACCESS_LENGTH:
        raise TokenInvalid("longer than 8 KiB")
    if not _ACCESS_SHAPE.fullmatch(raw):
        raise TokenInvalid("not a compact JWS")
    segments = raw.split(".")
    for segment in segments:
        _require_canonical(segment)
    return _header(segments[0])


@lru_cache(_HEADERS_KNOWN)
def _header(segment: str) -> Mapping[str, Any]:
    return MappingProxyType(_json_object(_bytes(segment)))


def read_payload(raw: str, key: Key) -> dict[str, Any]:
    """The payload of what ``key`` signed, by its algorithm and no other; spelt as above.

    PyJWT's algorithm verifies the signature. Its ``decode`` would read header and payload again,
    by a reader that lets the second of two equal names win silently, and judge little else that
    is not judged here or in ``Claims``: that takes twice as long as all the rest.
    """
    signed, _dot, signature = raw.rpartition(".")
    header, _dot, payload = signed.partition(".")
    if _header(header).get("alg") != key.algorithm:
        raise TokenInvalid("alg is not the key's")
    try:
        authentic = key.verified(signed.encode(), _bytes(signature))
    except (PyJWTError, TypeError, ValueError) as error:
        raise TokenInvalid(type(error).__name__) from None
    if not authentic:
        raise TokenInvalid("signature")
    return _json_object(_bytes(payload))


def _require_for_us(payload: Mapping[str, Any]) -> None:
    """Raise ``TokenInvalid`` unless it is from our issuer, for us, and may be used by now."""
    if conf.ISSUER is not None and payload.get("iss") != conf.ISSUER:
        raise TokenInvalid("another issuer")
    # One text: a list of several is refused, whoever else is in it (RFC 8725 §3.9).
    if payload.get("aud") != conf.AUDIENCE:
        raise TokenInvalid("another audience")
    if "nbf" in payload:
        moment = payload["nbf"]
        if type(moment) is not int or moment > time.time():
            raise TokenInvalid("not to be used yet")


def life_end(claims: Claims) -> float:
    """When the token's life ends, skew included, in seconds since 1970."""
    lifetime = conf.ACCESS_TOKEN_LIFETIME.total_seconds()
    return min(claims.exp, claims.iat + lifetime) + conf.LEEWAY.total_seconds()


def encode_refresh(claims: RefreshClaims, ring: RefreshKeyRing) -> str:
    """The refresh token of that session and counter. It is derived: nothing is stored."""
    key = ring.signing
    head = _REFRESH_HEAD.pack(_REFRESH_FORMAT, key.key_id, claims.session_id.bytes, claims.counter)
    return base64.urlsafe_b64encode(head + hmac.digest(key.secret, head, "sha256")).decode()


def decode_refresh(raw: str, ring: RefreshKeyRing) -> RefreshClaims:
    """What an authentic refresh token says; ``TokenInvalid`` for anything else."""
    if not _REFRESH_SHAPE.fullmatch(raw):
        raise TokenInvalid("not a refresh token")
    data = base64.urlsafe_b64decode(raw)
    head, signature = data[: _REFRESH_HEAD.size], data[_REFRESH_HEAD.size :]
    form, key_id, session_id, counter = _REFRESH_HEAD.unpack(head)
    if form != _REFRESH_FORMAT:
        raise TokenInvalid("unknown refresh token format")
    key = ring.find(key_id)
    if key is None:
        raise TokenInvalid("unknown refresh key")
    if not hmac.compare_digest(hmac.digest(key.secret, head, "sha256"), signature):
        raise TokenInvalid("refresh signature")
    return RefreshClaims(UUID(bytes=session_id), counter, key_id)


def looks_like_refresh(raw: str) -> bool:
    """Whether ``raw`` has the shape of a refresh token (76 characters, no dot)."""
    return _REFRESH_SHAPE.fullmatch(raw) is not None


_LAST: Final = {2: "AQgw", 3: "AEIMQUYcgkosw048"}
"""What a base64url segment may end with, by its length modulo 4: its spare bits are 0."""


def _bytes(segment: str) -> bytes:
    return base64.urlsafe_b64decode(segment + "==")


def _require_canonical(segment: str) -> None:
    """Raise ``TokenInvalid`` unless its bytes are spelt so and in no other way (RFC 4648 §3.5)."""
    over = len(segment) % 4
    if over == 1:
        raise TokenInvalid("base64url of an impossible length")
    if over and segment[-1] not in _LAST[over]:
        raise TokenInvalid("base64url that is not canonical")


class NestedTooDeeply(ValueError):
    """JSON of more than ``MAX_NESTING`` lists and objects within each other."""


def read_json(data: bytes) -> Any:
    """What JSON says that every reader reads alike, of bounded nesting; else ``ValueError``."""
    # Decoded here: given bytes, Python's reader would guess UTF-16 and UTF-32 too.
    text = data.decode()
    try:
        value = _READER.decode(text)
    except RecursionError:
        raise NestedTooDeeply from None
    # Counted first, since next to nothing has as many.
    if text.count("[") + text.count("{") > MAX_NESTING and _nests_too_deep(value):
        raise NestedTooDeeply
    return value


def _json_object(data: bytes) -> dict[str, Any]:
    try:
        value = read_json(data)
    except ValueError:
        raise TokenInvalid("not JSON, or JSON with a name twice") from None
    if not isinstance(value, dict):
        raise TokenInvalid("not a JSON object")
    return value


def _nests_too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_NESTING):
        parts = (whole.values() if isinstance(whole, Mapping) else whole for whole in level)
        level = [part for whole in parts for part in whole if isinstance(part, _WHOLES)]
        if not level:
            return False
    return True


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name twice")
    return value


def _no_constant(_name: str) -> None:
    raise ValueError("a number that is none")  # NaN and the infinities are no JSON


def _finite(text: str) -> float:
    value = float(text)
    if isinf(value):
        raise ValueError("a number that is none")  # 1e400: an infinity by another name
    return value


_WHOLES: Final = (dict, list, tuple)
_READER: Final = json.JSONDecoder(
    object_pairs_hook=_distinct, parse_constant=_no_constant, parse_float=_finite
)
"""Made once: to make one takes as long as to read a token."""
