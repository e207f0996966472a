"""Attacks that others suffered, as they were; which is which, and where the rest are tested, stands
in ``docs/cves.md``."""

from __future__ import annotations

import base64
import hmac
import json
import zlib

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.password_validation import UserAttributeSimilarityValidator
from jwt.algorithms import ECAlgorithm
from rest_framework.test import APIClient

from jwt_revoke.testing import Device
from tests.attacks.forging import b64, changed, forged, parts_of, signed, unb64
from tests.conftest import PASSWORD, credentials, make_user
from tests.wire import AUTH, assert_refused_header, assert_refused_token

pytestmark = pytest.mark.once

REFRESH = AUTH + "token/refresh/"
NAME = get_user_model().USERNAME_FIELD


def refresh(client, token, **extra):
    return client.post(REFRESH, {"refresh": token}, **extra)


def test_a_blacklisted_token_refreshes_nothing(phone, anonymous):
    """CVE-2020-10594 (drf-jwt): it opened nothing any more, and was exchanged for one that did."""
    assert (
        anonymous.post(AUTH + "token/blacklist/", {"refresh": phone.refresh_token}).status_code
        == 200
    )
    assert_refused_token(refresh(anonymous, phone.refresh_token), "revoked")
    assert_refused_header(phone.get("/api/ping/"), "revoked")


def test_a_token_handed_out_before_the_account_was_disabled(user, phone, anonymous):
    """CVE-2024-22513 (simplejwt), CVE-2025-65430 (allauth): neither kind opens anything."""
    user.is_active = False
    user.save()
    assert_refused_header(phone.get("/api/ping/"), "revoked")
    assert_refused_token(anonymous.post(AUTH + "token/verify/", {"token": phone.access}), "revoked")
    assert refresh(phone, phone.refresh_token).status_code == 401


def test_a_name_that_somebody_else_has_taken(user, phone):
    """CVE-2025-65431 (allauth): who may change their name must not become who has it next."""
    get_user_model().objects.filter(pk=user.pk).update(**{NAME: "alice-as-she-was"})
    newcomer = make_user("alice")
    assert phone.get("/api/me/").json()["id"] == str(user.pk)
    phone.refresh_tokens()
    assert phone.get("/api/me/").json()["id"] == str(user.pk) != str(newcomer.pk)


def test_the_next_person_at_a_shared_computer(user, anonymous):
    """CVE-2022-3916 (Keycloak): the refresh token of who logged out gives neither their tokens nor
    those of who signed in after them, by the same browser from the same address."""
    browser = {"HTTP_USER_AGENT": "Shared/1", "REMOTE_ADDR": "192.0.2.1"}
    make_user("bob")
    first = anonymous.post(AUTH + "token/", credentials(), **browser).json()
    anonymous.post(AUTH + "logout/", {"refresh": first["refresh"]}, **browser)
    second = anonymous.post(AUTH + "token/", credentials("bob"), **browser).json()
    assert_refused_token(refresh(anonymous, first["refresh"], **browser), "revoked")
    again = refresh(anonymous, second["refresh"], **browser).json()
    assert parts_of(again["access"])[1]["sub"] == parts_of(second["access"])[1]["sub"]
    assert first["session"] != second["session"]


@pytest.mark.parametrize("scheme", ["file", "ftp", "data"])
def test_a_key_of_the_attackers_by_another_scheme_than_http(
    phone, assert_refused, private_keys, settings, tmp_path, scheme
):
    """CVE-2026-48522 (PyJWT): a file that the attacker can write is as good as a URL."""
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "ALGORITHM": "ES256",
        "SIGNING_KEYS": [private_keys["ES256"]],
    }
    device = Device(make_user("bob"))
    head, body = parts_of(device.access)
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": head["kid"]}
    document = json.dumps({"keys": [jwk]})
    file = tmp_path / "jwks.json"
    file.write_text(document)
    url = {
        "file": file.as_uri(),
        "ftp": f"ftp://127.0.0.1:9{file}",
        "data": "data:application/json;base64," + base64.b64encode(document.encode()).decode(),
    }[scheme]
    for header in ({"jku": url}, {"kid": url}, {"x5u": url}):
        assert_refused(jwt.encode(body, key, "ES256", headers={**head, **header}))


def test_a_compressed_token_is_not_unpacked(phone, assert_refused, monkeypatch):
    """CVE-2025-62706 (authlib), CVE-2024-33664 (python-jose): 8 KiB that are 8 MB inside."""
    monkeypatch.setattr(zlib, "decompress", None)
    monkeypatch.setattr(zlib, "decompressobj", None)
    head, body = parts_of(phone.access)
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = packed.compress(json.dumps(body).encode() + b" " * 5_000_000) + packed.flush()
    assert_refused(signed(changed(head, {"zip": "DEF"}), bomb))
    assert_refused(signed(changed(head, {}), bomb))
    protected = b64(json.dumps({**head, "alg": "dir", "enc": "A128GCM", "zip": "DEF"}).encode())
    box = AESGCM(bytes(16)).encrypt(bytes(12), bomb, protected.encode())
    assert_refused(f"{protected}..{b64(bytes(12))}.{b64(box[:-16])}.{b64(box[-16:])}")


def test_claims_that_one_serialization_says_and_another_signs(phone, anonymous):
    """CVE-2022-39227 (python-jwt): one reader split at dots what the other read as JSON."""
    head, body, signature = phone.access.split(".")
    other = b64(changed(parts_of(phone.access)[1], {"sub": "1", "role": "admin"}))
    both = json.dumps({"protected": head, "payload": body, "signature": signature})
    for text in (
        f'{{"  {head}.{other}.": "", {both[1:]}',
        f"{head}.{other}.{both}",
        f"{both}.{other}.{signature}",
        json.dumps({"payload": body, "signatures": [{"protected": head, "signature": signature}]}),
    ):
        assert_refused_token(anonymous.post(AUTH + "token/verify/", {"token": text}), "invalid")
        bearer = f"Bearer {text}"
        assert_refused_header(anonymous.get("/api/ping/", HTTP_AUTHORIZATION=bearer), "invalid")


def test_signatures_are_compared_in_constant_time(phone, anonymous, monkeypatch):
    """CVE-2016-7036 (python-jose): how long ``==`` takes says how much of it was right."""
    compared = []

    def compare_digest(one, other):
        compared.append({one, other})
        return real(one, other)

    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    wrong = forged(phone.access)[:-8] + "AAAAAAAA"
    anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {wrong}")
    anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {phone.access}")
    other = phone.refresh_token[:-8] + "AAAAAAAA"
    refresh(anonymous, other)
    refresh(anonymous, phone.refresh_token)
    for token in (wrong, phone.access):
        assert any(unb64(token.split(".")[2]) in pair for pair in compared)
    for token in (other, phone.refresh_token):
        assert any(unb64(token)[-32:] in pair for pair in compared)


def test_a_long_password_is_neither_hashed_nor_measured(phone, anonymous, monkeypatch):
    """CVE-2013-1443, CVE-2021-45115 (Django): minutes of work for a password of a megabyte."""
    monkeypatch.setattr(MD5PasswordHasher, "encode", None)
    monkeypatch.setattr(UserAttributeSimilarityValidator, "validate", None)
    long = "x" * 4097
    bodies = {
        "token/": credentials(password=long),
        "reauthenticate/": {"password": long},
        "password/change/": {"old_password": long, "new_password": long},
    }
    for path, body in bodies.items():
        assert phone.post(AUTH + path, body).status_code == 400
    body = {"old_password": PASSWORD, "new_password": long}
    monkeypatch.undo()
    monkeypatch.setattr(UserAttributeSimilarityValidator, "validate", None)
    assert phone.post(AUTH + "password/change/", body).status_code == 400


def test_a_log_out_that_nobody_signed(phone, anonymous):
    """CVE-2019-10157 (Keycloak's adapter): whoever wrote one was believed."""
    head, body, _ = phone.access.split(".")
    for signature in ("", "AA", b64(bytes(32))):
        bearer = {"HTTP_AUTHORIZATION": f"Bearer {head}.{body}.{signature}"}
        for path in ("logout/", "logout/all/"):
            assert anonymous.post(AUTH + path, **bearer).status_code == 401
    assert phone.standing == "live"


@pytest.mark.parametrize(
    "path", ["sessions/", "logout/all/", "reauthenticate/", "password/change/"]
)
def test_every_way_in_asks_whether_the_token_is_revoked(phone, path):
    """CVE-2023-0091 (Keycloak): one flow of several did not."""
    APIClient().post(AUTH + "logout/", {"refresh": phone.refresh_token})
    ask = phone.get if path == "sessions/" else phone.post
    assert_refused_header(ask(AUTH + path), "revoked")
