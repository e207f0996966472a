"""An access token's claims, by the keys as they stand now."""

from __future__ import annotations

from .claims import Claims
from .codec import decode_access
from .exceptions import TokenStale, UnknownKey
from .keys import KeyRing
from .keystore import is_former, is_news, key_ring, key_ring_for_unknown_kid


def verified_claims(raw: str, *, expired_too: bool = False) -> Claims:
    """The claims of an authentic access token; its standing is the backend's to judge.

    Raises ``TokenInvalid``, ``TokenStale`` for one of a key that was taken out of use,
    ``TokenExpired`` unless ``expired_too``, and ``Unavailable``.
    """
    try:
        return _by_keys_of_its_time(raw, key_ring(), expired_too=expired_too)
    except UnknownKey as unknown:
        ring = key_ring_for_unknown_kid()
        if is_former(unknown.kid):
            # Nothing it signed is believed. Whoever holds an honest token of it refreshes.
            raise TokenStale("its key verifies no more") from None
        if ring is None:
            # So does whoever holds the first token of a key that signs since a moment ago.
            raise TokenStale("unknown key, and just looked for one") from None
    return _by_keys_of_its_time(raw, ring, expired_too=expired_too)


def _by_keys_of_its_time(raw: str, ring: KeyRing, *, expired_too: bool) -> Claims:
    claims = decode_access(raw, ring, expired_too=expired_too)
    if not is_news(claims.gen):
        return claims
    # Perhaps for a key that was compromised, by which a thief signs on. No backend lets an older
    # generation pass, so each token meets the keys of its own time.
    newer = key_ring(claims.gen)
    return claims if newer is ring else decode_access(raw, newer, expired_too=expired_too)
