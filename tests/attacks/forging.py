"""Tokens as an attacker writes them: any header, any payload, any bytes.

Most are signed with the site's own key, although no attacker has it: so that what refuses them is
the rule under attack, and not the signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any, Final

from django.conf import settings

MISSING: Final = object()
"""As a value: the name is left out."""

HASHES: Final = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload, as objects."""
    head, body, _ = token.split(".")
    return json.loads(unb64(head)), json.loads(unb64(body))


def signed(head: bytes, body: bytes, key: str | bytes | None = None, alg: str = "HS256") -> str:
    """The token of these very bytes, signed with the site's key or with another."""
    secret = settings.JWT_REVOKE["SIGNING_KEYS"][0] if key is None else key
    secret = secret.encode() if isinstance(secret, str) else secret
    text = f"{b64(head)}.{b64(body)}"
    return f"{text}.{b64(hmac.new(secret, text.encode(), HASHES[alg]).digest())}"


def changed(values: dict[str, Any], changes: dict[str, Any]) -> bytes:
    """``values`` with ``changes``, as JSON."""
    merged = {name: value for name, value in {**values, **changes}.items() if value is not MISSING}
    return json.dumps(merged).encode()


def forged(token: str, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """``token`` with another header and other claims, signed again with the site's key."""
    head, body = parts_of(token)
    return signed(changed(head, header or {}), changed(body, claims))
