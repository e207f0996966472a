"""Whoever is given an access token and the address of the site's keys, and nothing else."""

from __future__ import annotations

import json
import urllib.request
import warnings
from pathlib import Path
from typing import Any, Protocol

from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

from tests.services.node import Node

HERE = Path(__file__).resolve().parent
TYPE = "at+jwt"
REQUIRED = ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"]
"""RFC 9068 §2.2"""


class Refused(Exception):
    """The library refuses the token; its own code for the reason, and the claim if it is one."""


class ThirdParty(Protocol):
    """A library, and its codes for the reasons that tests are about."""

    bad_signature: str
    unknown_key: str
    wrong_claim: str

    def verify(
        self, token: str, address: str, *, algorithm: str, issuer: str, audience: str
    ) -> dict[str, Any]:
        """The claims of an access token by the keys at that address (RFC 9068 §4)."""

    def thumbprints(self, address: str) -> dict[str, str]:
        """Key id → the key's thumbprint (RFC 7638)."""


class Jose:
    """npm's jose, in a process of its own each time: it remembers no key."""

    package = "jose@6.2.18"
    bad_signature = "ERR_JWS_SIGNATURE_VERIFICATION_FAILED"
    unknown_key = "ERR_JWKS_NO_MATCHING_KEY"
    wrong_claim = "ERR_JWT_CLAIM_VALIDATION_FAILED"

    def __init__(self, node: Node) -> None:
        self._node = node

    def verify(
        self, token: str, address: str, *, algorithm: str, issuer: str, audience: str
    ) -> dict[str, Any]:
        options = {
            "typ": TYPE,
            "algorithms": [algorithm],
            "issuer": issuer,
            "audience": audience,
            "requiredClaims": REQUIRED,
        }
        question = {"address": address, "token": token, "options": options}
        answer: dict[str, Any] = self._node.run(HERE / "verify.mjs", question)
        if "refused" in answer:
            raise Refused(answer["refused"])
        claims: dict[str, Any] = answer["claims"]
        return claims

    def thumbprints(self, address: str) -> dict[str, str]:
        prints: dict[str, str] = self._node.run(HERE / "thumbprints.mjs", {"address": address})
        return prints


class Joserfc:
    """Python's joserfc."""

    bad_signature = "bad_signature"
    unknown_key = "invalid_key_id"
    wrong_claim = "invalid_claim"

    def verify(
        self, token: str, address: str, *, algorithm: str, issuer: str, audience: str
    ) -> dict[str, Any]:
        typed = {"typ": HeaderParameter("RFC 9068 §2.1", _is_access_token, required=True)}
        expected: dict[str, Any] = {name: {"essential": True} for name in REQUIRED}
        expected["iss"]["value"], expected["aud"]["value"] = issuer, audience
        keys = self._keys(address)
        try:
            with warnings.catch_warnings():
                # RFC 9864 would have "Ed25519" for "EdDSA".
                warnings.simplefilter("ignore", SecurityWarning)
                decoded = jwt.decode(
                    token, keys, registry=JWSRegistry(typed, algorithms=[algorithm])
                )
            jwt.JWTClaimsRegistry(**expected).validate(decoded.claims)
        except JoseError as error:
            raise Refused(f"{error.error} {getattr(error, 'claim', '')}".rstrip()) from error
        return decoded.claims

    def thumbprints(self, address: str) -> dict[str, str]:
        return {str(key.kid): key.thumbprint() for key in self._keys(address)}

    def _keys(self, address: str) -> KeySet:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return KeySet.import_key_set(json.load(answer))


def _is_access_token(value: object) -> None:
    if value != TYPE:
        raise ValueError(f"is not {TYPE}")
