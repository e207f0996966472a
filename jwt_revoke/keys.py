"""The key rings: which key signs, which verify. Pure; ``keystore.py`` says where keys come from.

A ring is chosen from by key id. The algorithm belongs to the key and is never read from a token
(RFC 8725 §3.1), so a token can't turn a public key into an HMAC secret.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from jwt.algorithms import get_default_algorithms, has_crypto, requires_cryptography
from jwt.exceptions import PyJWTError
from jwt.utils import base64url_encode

from .exceptions import Unavailable

SYMMETRIC: Final = ("HS256", "HS384", "HS512")
ASYMMETRIC: Final = ("RS256", "PS256", "ES256", "ES384", "EdDSA")
REFRESH_KEY_LENGTH: Final = 32
"""Least bytes of a refresh secret (RFC 2104 §3: no shorter than the hash's output)."""


_RULES: Final[Mapping[str, Any]] = get_default_algorithms()
"""PyJWT's, by their names. Those that need the package cryptography are there if it is."""

_NO_KEY: Final = "every configured key is marked as compromised: put a new one first, and deploy"


class KeyUnusable(ValueError):
    """A configured key that can't be used; the message says why and what to do instead."""


def hkdf(secret: bytes, label: bytes, length: int) -> bytes:
    """``length`` bytes derived from ``secret`` for one purpose (RFC 5869, SHA-256, no salt)."""
    pseudo_random_key = hmac.digest(bytes(32), secret, "sha256")
    block, derived = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(pseudo_random_key, block + label + bytes([counter]), "sha256")
        derived += block
    return derived[:length]


@dataclass(frozen=True, slots=True)
class Key:
    """One key for access tokens: its id, its algorithm, and what signs and verifies.

    ``public`` is its public part as a JWK (RFC 7517), or ``None`` for a shared secret. ``signs``
    is ``None`` where only the public part is at hand, and ``verifies`` too where nothing is.
    """

    kid: str
    algorithm: str
    signs: Any = field(repr=False)
    verifies: Any = field(repr=False)
    public: dict[str, Any] | None = field(repr=False, default=None)

    def verified(self, signed: bytes, signature: bytes) -> bool:
        """Whether the signature is of those bytes, by this key and its algorithm.

        PyJWT judges, and compares in constant time. It may raise for a signature that is none.
        """
        return bool(_RULES[self.algorithm].verify(signed, self.verifies, signature))


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys for access tokens; the first signs, all verify."""

    keys: tuple[Key, ...]

    @property
    def signing(self) -> Key:
        """The key that new tokens are signed with. Raises ``Unavailable`` where none is left."""
        if not self.keys:
            raise Unavailable(_NO_KEY)
        return self.keys[0]

    def find(self, kid: str) -> Key | None:
        """The key of that id, or ``None``."""
        return next((key for key in self.keys if key.kid == kid), None)


class TimedKey(NamedTuple):
    """A key and its terms, in seconds since 1970; ``None`` is a moment that is not set.

    It signs from ``not_before`` (``None``: it waits, published, for a rotation to set it) until
    ``signs_until``, and verifies until ``verifies_until``, from before it signs.
    """

    key: Key
    not_before: float | None
    signs_until: float | None = None
    verifies_until: float | None = None

    def signs(self, now: float) -> bool:
        """Whether new tokens may be signed with it now."""
        begun = self.not_before is not None and self.not_before <= now
        return begun and (self.signs_until is None or now < self.signs_until)

    def verifies(self, now: float) -> bool:
        """Whether it verifies now. A key that does not sign yet verifies already: clocks differ."""
        return self.verifies_until is None or now < self.verifies_until


def ring_at(keys: Iterable[TimedKey], now: float) -> tuple[KeyRing, float]:
    """The ring as it stands at ``now``, and the moment at which it will stand otherwise.

    Of the keys that sign the one that began last is taken. Where none does (a clock that is
    behind), the one that verifies and signed last; whoever still verifies may have signed.
    """
    keys = [timed for timed in keys if timed.verifies(now)]
    terms = [(timed.not_before, timed.signs_until, timed.verifies_until) for timed in keys]
    to_come = [moment for term in terms for moment in term if moment is not None and moment > now]

    def precedence(timed: TimedKey) -> tuple[bool, float]:
        begun = timed.not_before if timed.not_before is not None else float("inf")
        return not timed.signs(now), begun if begun > now else -begun

    ring = KeyRing(tuple(timed.key for timed in sorted(keys, key=precedence)))
    return ring, min(to_come, default=float("inf"))


@dataclass(frozen=True, slots=True)
class RefreshKey:
    """One secret for refresh tokens. ``key_id`` is four bytes of the token."""

    key_id: bytes
    secret: bytes = field(repr=False)

    @classmethod
    def from_secret(cls, secret: bytes) -> RefreshKey:
        """The key made of ``secret``; ``KeyUnusable`` when it is under 32 bytes."""
        if len(secret) < REFRESH_KEY_LENGTH:
            raise KeyUnusable(
                f"a refresh key has {len(secret)} bytes and needs {REFRESH_KEY_LENGTH}"
            )
        return cls(hkdf(secret, b"jwt_revoke refresh key id", 4), secret)


@dataclass(frozen=True, slots=True)
class RefreshKeyRing:
    """The secrets for refresh tokens; the first signs, all verify."""

    keys: tuple[RefreshKey, ...]

    @property
    def signing(self) -> RefreshKey:
        """The key that new tokens are signed with. Raises ``Unavailable`` where none is left."""
        if not self.keys:
            raise Unavailable(_NO_KEY)
        return self.keys[0]

    def find(self, key_id: bytes) -> RefreshKey | None:
        """The key of that id, or ``None``."""
        return next((key for key in self.keys if key.key_id == key_id), None)


def load_key(algorithm: str, material: str | bytes) -> Key:
    """The ``Key`` made of a secret, or of a private key in PEM.

    Raises ``KeyUnusable`` for an unknown algorithm, a key that does not fit it, or one shorter
    than RFC 7518 §3.2/§3.3 asks for (PyJWT by itself only warns).
    """
    private = _prepared(algorithm, material)
    if algorithm in SYMMETRIC:
        raw = material.encode() if isinstance(material, str) else material
        kid = base64url_encode(hkdf(raw, b"jwt_revoke signing key id", 12)).decode()
        return Key(kid, algorithm, private, private)
    if not hasattr(private, "public_key"):
        raise KeyUnusable("a public key can't sign: put the private key's PEM here")
    return _key_pair(algorithm, private, private.public_key())


def load_public_key(algorithm: str, jwk: Mapping[str, Any]) -> Key:
    """The ``Key`` made of a public JWK: it verifies, and signs nothing.

    Raises ``KeyUnusable``, as ``load_key`` does.
    """
    if "d" in jwk:
        raise KeyUnusable("a private key, where a public one was expected")
    try:
        public = _rules(algorithm).from_jwk(dict(jwk))
    except (PyJWTError, ValueError, TypeError, KeyError) as error:
        raise KeyUnusable(f"not a key for {algorithm} ({type(error).__name__})") from None
    # Once more as a key: from_jwk() does not compare the curve with the algorithm.
    return _key_pair(algorithm, None, _prepared(algorithm, public))


def make_material(algorithm: str) -> str:
    """A new secret of 64 random bytes, or a new private key in PEM (RSA: 3072 bits).

    Raises ``KeyUnusable`` for an algorithm that is none of ours.
    """
    _rules(algorithm)
    if algorithm in SYMMETRIC:
        return secrets.token_urlsafe(64)
    # The extra "crypto" is optional; _rules() has seen that it is there.
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  (an extra)
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415  (an extra)

    makers: dict[str, Callable[[], Any]] = {
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
    }
    private = makers.get(algorithm, lambda: rsa.generate_private_key(65537, 3072))()
    pem: bytes = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode()


def _rules(algorithm: str) -> Any:
    """PyJWT's rules for one of our algorithms; else ``KeyUnusable``."""
    if algorithm in requires_cryptography and not has_crypto:
        raise KeyUnusable(
            f"{algorithm} needs the package cryptography: pip install 'django-jwt-revoke[crypto]'"
        )
    if algorithm not in SYMMETRIC + ASYMMETRIC:
        raise KeyUnusable(f"{algorithm} is none of {', '.join(SYMMETRIC + ASYMMETRIC)}")
    return _RULES[algorithm]


def _prepared(algorithm: str, material: Any) -> Any:
    rules = _rules(algorithm)
    try:
        private = rules.prepare_key(material)
        too_short = rules.check_key_length(private)
    except (PyJWTError, ValueError, TypeError) as error:
        # The library's message may quote the key: only its kind is passed on.
        raise KeyUnusable(f"not a key for {algorithm} ({type(error).__name__})") from None
    if too_short:
        raise KeyUnusable(f"too short for {algorithm}: {too_short}")
    return private


def _key_pair(algorithm: str, private: Any, public: Any) -> Key:
    jwk = _rules(algorithm).to_jwk(public, as_dict=True)
    kid = thumbprint(jwk)
    jwk = {**jwk, "kid": kid, "alg": algorithm, "use": "sig"}
    jwk.pop("key_ops", None)
    return Key(kid, algorithm, private, public, jwk)


def thumbprint(jwk: dict[str, Any]) -> str:
    """The JWK's SHA-256 thumbprint (RFC 7638), base64url."""
    members: dict[str, Sequence[str]] = {
        "RSA": ("e", "kty", "n"),
        "EC": ("crv", "kty", "x", "y"),
        "OKP": ("crv", "kty", "x"),
    }
    required = {name: jwk[name] for name in members[jwk["kty"]]}
    canonical = json.dumps(required, separators=(",", ":"), sort_keys=True)
    return base64url_encode(hashlib.sha256(canonical.encode()).digest()).decode()
