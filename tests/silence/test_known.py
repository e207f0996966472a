"""Invariant 9: what is looked for, and how little of it is enough."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load
from jwt.algorithms import get_default_algorithms

from jwt_revoke.codec import RefreshClaims, encode_access, encode_refresh
from jwt_revoke.keys import ASYMMETRIC, KeyRing, RefreshKey, RefreshKeyRing, load_key, make_material
from tests.silence import known
from tests.silence.known import LEAST, Known

pytestmark = pytest.mark.once


@pytest.fixture
def secrets() -> Known:
    return Known()


@pytest.fixture(scope="module")
def refresh() -> str:
    ring = RefreshKeyRing((RefreshKey.from_secret(b"of these tests alone" * 2),))
    return encode_refresh(RefreshClaims(uuid4(), 7), ring)


@pytest.fixture(scope="module")
def access() -> str:
    ring = KeyRing((load_key("HS256", "of these tests alone" * 2),))
    return encode_access({"sub": "1", "sid": str(uuid4()), "jti": str(uuid4())}, ring)


def kinds(secrets: Known, text: str, but: tuple[str, ...] = ()) -> set[str]:
    return {kind for kind, _ in secrets.found_in(text, but)}


def test_every_part_of_a_refresh_token_is_found_wherever_it_begins(
    secrets: Known, refresh: str
) -> None:
    secrets.learn(known.REFRESH, refresh)
    for start in range(len(refresh) - LEAST + 1):
        part = refresh[start : start + LEAST]
        for before in ("", " ", "x", "xy", "a-long-word-before-it-"):
            assert kinds(secrets, f"{before}{part}…") == {known.REFRESH}, (start, before)


def test_the_signature_alone_and_the_end_of_an_access_token_are_found(
    secrets: Known, access: str
) -> None:
    secrets.learn(known.ACCESS, access)
    for part in (access, access.rpartition(".")[2], access[-24:], access[-40:-10]):
        assert kinds(secrets, f"GET /?next={part}&x=1") == {known.ACCESS}


def test_a_token_that_nobody_told_us_of_is_found_by_its_shape(
    secrets: Known, access: str, refresh: str
) -> None:
    """As of another process's log."""
    assert kinds(secrets, f"token={access}") == {known.ACCESS}
    assert kinds(secrets, f"token={refresh}") == {known.REFRESH}


def test_what_a_token_says_is_no_secret(secrets: Known, access: str, refresh: str) -> None:
    secrets.learn(known.ACCESS, access)
    secrets.learn(known.REFRESH, refresh)
    said = base64.urlsafe_b64decode(access.split(".")[1] + "==").decode()
    assert kinds(secrets, f"{said} {uuid4()} {'x' * 100} {known.__doc__} {__file__}") == set()


@pytest.mark.parametrize("spelt", [str, repr, quote, json.dumps, ascii])
@pytest.mark.parametrize("password", ["correct horse battery staple", "naïve & «quoted» 'one'"])
def test_a_password_is_found_as_a_url_json_or_a_repr_spells_it(
    secrets: Known, password: str, spelt: type[str]
) -> None:
    secrets.learn(known.PASSWORD, password)
    assert kinds(secrets, f"before {spelt(password)} after") == {known.PASSWORD}


def test_a_password_is_known_until_it_is_forgotten_and_learnt_again(secrets: Known) -> None:
    secrets.learn(known.PASSWORD, "9223372036854775807")
    secrets.forget_passwords()
    assert kinds(secrets, "no more than 9223372036854775807") == set()
    secrets.learn(known.PASSWORD, "9223372036854775807")
    assert kinds(secrets, "no more than 9223372036854775807") == {known.PASSWORD}


def test_a_hash_is_found_without_its_salt(secrets: Known) -> None:
    secrets.learn(known.HASH, "md5$salt$5f4dcc3b5aa765d61d8327deb882cf99")
    assert kinds(secrets, "it ends with aa765d61d8327deb882cf99") == {known.HASH}


@pytest.mark.parametrize("algorithm", ASYMMETRIC)
def test_a_private_key_is_found_in_every_form_and_its_public_part_is_none(
    secrets: Known, algorithm: str
) -> None:
    pem = make_material(algorithm)
    secrets.learn(known.KEY, pem)
    private = load(pem.encode(), None)
    jwk = get_default_algorithms()[algorithm].to_jwk(private)
    assert kinds(secrets, pem) == {known.KEY}
    assert kinds(secrets, pem.replace("\n", "\\n")) == {known.KEY}
    assert kinds(secrets, jwk) == {known.KEY}
    public = private.public_key()
    shown = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    assert kinds(secrets, shown + str(load_key(algorithm, pem).public)) == set()


@pytest.mark.parametrize("text", ["kept-for-these-tests-alone-42-and-no-more", "words, and spaces"])
def test_a_secret_key_is_found_as_text_hexadecimal_and_base64(secrets: Known, text: str) -> None:
    secrets.learn(known.KEY, text)
    raw = text.encode() + b" of a known plaintext"
    for spelt in (text, repr(raw), raw.hex(), base64.b64encode(b"??" + raw).decode()):
        if len(text) > LEAST or spelt.startswith(("w", "b'")):
            assert kinds(secrets, spelt) == {known.KEY}, spelt


def test_what_is_allowed_in_one_place_is_not_in_another(secrets: Known, refresh: str) -> None:
    secrets.learn(known.REFRESH, refresh)
    assert kinds(secrets, refresh, (known.REFRESH,)) == set()
    assert kinds(secrets, refresh, (known.HASH,)) == {known.REFRESH}
