"""``GET jwks.json``: the public keys, and nothing but public parts (RFC 7517)."""

from __future__ import annotations

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.db import OperationalError, connection

from jwt_revoke import keystore
from jwt_revoke.key_compromise import compromise
from jwt_revoke.log import Cause
from jwt_revoke.signing_keys import create, rotate
from tests.stored import after
from tests.wire import AUTH

pytestmark = pytest.mark.once

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


@pytest.mark.parametrize("asked", ["application/jwk-set+json", "application/json"])
def test_it_answers_under_either_of_its_names(db, anonymous, asked):
    """RFC 7517 §8.5.1."""
    response = anonymous.get(URL, HTTP_ACCEPT=asked)
    assert (response.status_code, response["Content-Type"]) == (200, asked)


def test_head_may_be_kept_as_get_may(db, anonymous):
    assert anonymous.head(URL)["Cache-Control"] == anonymous.get(URL)["Cache-Control"]


# --- stored keys


def published(client):
    return [key["kid"] for key in client.get(URL).json()["keys"]]


def test_a_key_that_waits_is_published(db, anonymous, stored_keys):
    assert published(anonymous) == []  # the one that signs is a shared secret
    key = create("default")
    keystore.forget_keys()
    assert published(anonymous) == [key.kid]


def test_a_compromised_key_is_published_no_more(db, anonymous, stored_keys):
    rotate("default")
    after(days=1)
    (lost,) = published(anonymous)
    compromise("default", lost, Cause("key_compromised"))
    keystore.forget_keys()
    (new,) = published(anonymous)
    assert new != lost


def test_stored_secrets_are_never_published(db, anonymous, stored_keys):
    create("default", "HS256")
    keystore.forget_keys()
    assert published(anonymous) == []


def test_an_answer_that_could_not_be_given_is_not_kept(db, anonymous, stored_keys):
    """A 503 of a moment must not be the keys of five minutes."""

    def refuse(execute, sql, *args):
        raise OperationalError("server closed the connection unexpectedly")

    keystore.forget_keys()
    with connection.execute_wrapper(refuse):
        response = anonymous.get(URL)
    assert (response.status_code, response["Cache-Control"]) == (503, "no-store")
