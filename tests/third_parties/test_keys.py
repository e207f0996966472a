"""What the site publishes of its keys, and what others make of it."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from rest_framework.test import APIClient

from jwt_revoke.testing import Device
from tests.third_parties.verifiers import ThirdParty
from tests.wire import AUTH

pytestmark = pytest.mark.once

RSA, EC, OKP = {"kty", "n", "e"}, {"kty", "crv", "x", "y"}, {"kty", "crv", "x"}
PUBLIC = {"RS256": RSA, "PS256": RSA, "ES256": EC, "ES384": EC, "EdDSA": OKP}


def test_the_public_part_of_a_key_is_published_and_nothing_else(
    db: None, anonymous: APIClient, algorithm: str
) -> None:
    """RFC 7518 §6, RFC 8037 §2: no member but these, so none of the private ones."""
    (key,) = anonymous.get(AUTH + "jwks.json").json()["keys"]
    assert key.keys() == PUBLIC[algorithm] | {"kid", "alg", "use"}
    assert (key["alg"], key["use"]) == (algorithm, "sig")


def test_the_kid_of_tokens_and_keys_is_the_thumbprint(
    user: Any, algorithm: str, address: str, third_party: ThirdParty
) -> None:
    """RFC 7638 §3: anybody can calculate it."""
    kid = jwt.get_unverified_header(Device(user).access)["kid"]
    assert third_party.thumbprints(address) == {kid: kid}
