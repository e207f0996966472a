"""An access token's claims, by the keys as they stand now."""

from __future__ import annotations

import time

from .claims import Claims
from .conf import conf
from .exceptions import TokenExpired, TokenStale, UnknownKey
from .keystore import current_keys, is_former, keys_for_unknown_kid
from .verifier import AnotherSpelling, own


def verified_claims(raw: str, *, expired_too: bool = False) -> Claims:
    """The claims of an authentic access token; its standing is the backend's to judge.

    Raises ``TokenInvalid``, ``TokenStale`` for one of a key that was taken out of use,
    ``TokenExpired`` unless ``expired_too`` (log-out takes a token of any age), and ``Unavailable``.
    """
    return claims_of_header(f"{conf.AUTH_HEADER_TYPES[0]} {raw}", expired_too=expired_too)


def claims_of_header(header: str, *, expired_too: bool = False) -> Claims:
    """Those of the token in an ``Authorization`` header.

    Raises ``AnotherScheme`` for a header that is none of ours, and as ``verified_claims`` does.
    """
    keys = current_keys()
    try:
        claims, flat, ends = keys.verified(header)
        if claims.gen > keys.generation:
            # Perhaps for a key that was compromised, by which a thief signs on. No backend lets an
            # older generation pass, so each token meets the keys of its own time.
            claims, flat, ends = current_keys(claims.gen).verified(header)
    except AnotherSpelling as other:
        return claims_of_header(other.usual, expired_too=expired_too)
    except UnknownKey as unknown:
        again = keys_for_unknown_kid()
        if is_former(unknown.kid):
            # Nothing it signed is believed. Whoever holds an honest token of it refreshes.
            raise TokenStale("its key verifies no more") from None
        if again is None:
            # So does whoever holds the first token of a key that signs since a moment ago.
            raise TokenStale("unknown key, and just looked for one") from None
        claims, flat, ends = again.verified(header)
        claims, flat, ends = current_keys(claims.gen).verified(header)
    if ends <= time.time() and not expired_too:
        raise TokenExpired
    return claims if flat else own(claims)
