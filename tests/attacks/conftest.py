from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from rest_framework.test import APIClient

from jwt_revoke.testing import Device
from tests.wire import AUTH, assert_refused_header, assert_refused_token


@pytest.fixture
def assert_refused(phone: Device, anonymous: APIClient) -> Callable[[str], None]:
    """The token opens nothing, wherever an access token is taken, and ends nothing."""

    def check(token: str, reason: str = "invalid") -> None:
        bearer = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
        assert_refused_header(anonymous.get("/api/ping/", **bearer), reason)
        assert_refused_header(anonymous.get(AUTH + "sessions/", **bearer), reason)
        assert_refused_header(anonymous.post(AUTH + "logout/all/", **bearer), reason)
        assert_refused_token(anonymous.post(AUTH + "token/verify/", {"token": token}), reason)
        if reason == "invalid":
            assert_refused_token(anonymous.post(AUTH + "logout/", **bearer), reason)
        assert phone.device_session.ended_at is None

    return check


def pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="session")
def private_keys() -> dict[str, str]:
    """Algorithm → private key in PEM. RSA keys take long to make."""
    rsa_key = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    return {
        "RS256": rsa_key,
        "PS256": rsa_key,
        "ES256": pem(ec.generate_private_key(ec.SECP256R1())),
        "ES384": pem(ec.generate_private_key(ec.SECP384R1())),
        "EdDSA": pem(ed25519.Ed25519PrivateKey.generate()),
    }
