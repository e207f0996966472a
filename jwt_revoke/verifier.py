"""From an ``Authorization`` header to claims; what was verified is remembered by its text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from types import MappingProxyType
from typing import Any

from .claims import Claims
from .codec import decode_access, life_end
from .conf import conf
from .exceptions import TokenInvalid
from .keys import KeyRing


class AnotherScheme(Exception):
    """An ``Authorization`` header that is none of ours."""


class AnotherSpelling(Exception):
    """A header that is not spelt as most are: ``usual`` means the same."""

    def __init__(self, usual: str) -> None:
        super().__init__()  # without its text, which nobody is to read
        self.usual = usual


def token_of(header: str) -> str:
    """What follows one of our schemes in an ``Authorization`` header.

    Raises ``AnotherScheme``, and ``TokenInvalid`` where nothing follows.
    """
    scheme, _space, raw = header.strip(" \t").partition(" ")
    if scheme.lower() not in conf.schemes:
        raise AnotherScheme
    if not raw:
        raise TokenInvalid("a scheme and no token")
    # More than one token is none: no token has a space inside.
    return raw.lstrip(" \t")


Verified = tuple[Claims, bool, float]
"""An authentic token's claims, whether nothing in them can be changed, and when its life ends."""


def verifier(ring: KeyRing) -> Callable[[str], Verified]:
    """Of an ``Authorization`` header what its token says, by those keys; it remembers the last used
    (s18). Raises ``AnotherScheme``, ``AnotherSpelling`` and ``TokenInvalid``.

    It saves the signature and nothing else: age and standing are judged each time. Only what was
    authentic is remembered, by its exact text, so that nobody can fill it with junk; by that of the
    header, for to cut the token out takes as long as to find it. A site's settings that change, or
    its keys, are another verifier: a key that was retired verifies nothing from memory.
    """
    return lru_cache(conf.VERIFIED_CACHE_SIZE)(partial(_remembered, ring))


def _remembered(ring: KeyRing, header: str) -> Verified:
    raw = token_of(header)
    if header.removesuffix(f" {raw}") not in (*conf.AUTH_HEADER_TYPES, *conf.schemes):
        # Of one token there are as many as spaces and capitals: it would fill the memory by itself.
        raise AnotherSpelling(f"{conf.AUTH_HEADER_TYPES[0]} {raw}")
    claims = decode_access(raw, ring, expired_too=True)
    flat = not any(isinstance(value, dict | list) for value in claims.payload.values())
    return claims, flat, life_end(claims)


def own(kept: Claims) -> Claims:
    """A copy of one's own: what a view appends to a claim must not be in the next request's."""
    payload = {name: _copied(value) for name, value in kept.payload.items()}
    return replace(kept, payload=MappingProxyType(payload))


def _copied(value: Any) -> Any:
    """A copy of what JSON gave; ``deepcopy`` would cost as much as the signature."""
    if isinstance(value, dict):
        return {name: _copied(part) for name, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list) else value
