"""``GET jwks.json``: the public keys, and nothing but public parts (RFC 7517)."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.wire import AUTH

URL = AUTH + "jwks.json"


@pytest.fixture(scope="module")
def pem():
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture
def es256(settings, pem):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "ALGORITHM": "ES256", "SIGNING_KEYS": [pem]}


def test_shared_secrets_are_never_published(db, anonymous):
    response = anonymous.get(URL)
    assert (response.status_code, response.json()) == (200, {"keys": []})


def test_what_is_published_verifies_our_tokens(user, anonymous, es256, sign_in):
    device = sign_in(user)
    header = jwt.get_unverified_header(device.access)
    keys = jwt.PyJWKSet.from_dict(anonymous.get(URL).json())
    payload = jwt.decode(device.access, keys[header["kid"]].key, algorithms=["ES256"])
    assert payload["sub"] == str(user.pk)


def test_it_is_json_whatever_is_preferred(db, anonymous):
    response = anonymous.get(URL, HTTP_ACCEPT="text/html,*/*;q=0.8")
    assert response["Content-Type"] == "application/json"


def test_it_asks_for_no_credentials_and_ignores_bad_ones(db, anonymous):
    assert anonymous.get(URL, HTTP_AUTHORIZATION="Bearer a.b.c").status_code == 200
