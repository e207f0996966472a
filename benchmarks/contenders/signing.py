"""The private keys of a run: all its processes sign and verify with the same."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Final

LIFETIME: Final = timedelta(hours=2)
"""Of every access token: none may expire in the run."""


def private_key(algorithm: str) -> str:
    """In PEM, of 3072 bits if of RSA: what the process was started with, or a new one."""
    name = f"BENCH_{algorithm}_KEY"
    if name not in os.environ:
        from jwt_revoke.keys import make_material

        os.environ[name] = make_material(algorithm)
    return os.environ[name]


def public_key(algorithm: str) -> str:
    """Its public part in PEM."""
    from cryptography.hazmat.primitives import serialization

    private = serialization.load_pem_private_key(private_key(algorithm).encode(), None)
    pem: bytes = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem.decode()
