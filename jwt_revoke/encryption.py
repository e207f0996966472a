"""Private keys at rest: encrypted under ``KEY_ENCRYPTION_KEYS``, the first of which encrypts.

By cryptography's Fernet (AES-128-CBC and HMAC-SHA256), which is versioned, authenticated and
rotatable; a dump of the database signs nothing without those keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from .conf import conf
from .keys import KeyUnusable


def encrypt(text: str) -> str:
    """``text`` under the first key. Raises ``KeyUnusable`` without a usable one."""
    token: bytes = _fernet(tuple(conf.KEY_ENCRYPTION_KEYS)).encrypt(text.encode())
    return token.decode()


def decrypt(token: str) -> str:
    """What was encrypted under any of the keys. Raises ``KeyUnusable`` for anything else."""
    from cryptography.fernet import InvalidToken  # noqa: PLC0415  (an extra)

    try:
        text: bytes = _fernet(tuple(conf.KEY_ENCRYPTION_KEYS)).decrypt(token.encode())
    except InvalidToken:
        raise KeyUnusable("none of KEY_ENCRYPTION_KEYS decrypts it") from None
    return text.decode()


def is_current(token: str) -> bool:
    """Whether the first key decrypts it: an older one may be taken out once all are."""
    from cryptography.fernet import InvalidToken  # noqa: PLC0415  (an extra)

    try:
        _fernet(tuple(conf.KEY_ENCRYPTION_KEYS)[:1]).decrypt(token.encode())
    except InvalidToken:
        return False
    return True


@lru_cache(maxsize=8)
def _fernet(keys: Sequence[str]) -> Any:
    try:
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415  (an extra)
    except ImportError:
        raise KeyUnusable(
            "stored keys need the package cryptography: pip install 'django-jwt-revoke[crypto]'"
        ) from None
    if not keys:
        raise KeyUnusable("JWT_REVOKE['KEY_ENCRYPTION_KEYS'] is empty")
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        # Its message may quote the key.
        raise KeyUnusable(
            "JWT_REVOKE['KEY_ENCRYPTION_KEYS'] has a text that is not 32 bytes in base64url"
        ) from None
