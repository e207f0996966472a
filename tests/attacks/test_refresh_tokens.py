"""Refresh tokens: authentic, in their place, and for nothing else (RFC 9700 §4.14)."""

from __future__ import annotations

import base64
import hmac

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jwt_revoke import codec
from jwt_revoke.codec import RefreshClaims, encode_refresh
from jwt_revoke.keys import RefreshKey, RefreshKeyRing
from jwt_revoke.keystore import refresh_key_ring
from tests.wire import AUTH, assert_refused_header, assert_refused_token

TAKERS = pytest.mark.parametrize(
    ("path", "field"),
    [
        ("token/refresh/", "refresh"),
        ("token/blacklist/", "refresh"),
        ("logout/", "refresh"),
        ("token/verify/", "token"),
    ],
)


def refused_without_the_database(client, token, path="token/refresh/", field="refresh"):
    with CaptureQueriesContext(connection) as captured:
        assert_refused_token(client.post(AUTH + path, {field: token}), "invalid")
    assert not captured.captured_queries


def test_every_byte_of_a_refresh_token_matters(phone, anonymous):
    """Junk is refused before the database is asked."""
    data = bytearray(base64.urlsafe_b64decode(phone.refresh_token))
    for at in range(len(data)):
        for flip in (0x01, 0x80):
            tampered = bytearray(data)
            tampered[at] ^= flip
            token = base64.urlsafe_b64encode(bytes(tampered)).decode()
            refused_without_the_database(anonymous, token)
    assert phone.standing == "live"


def test_the_mac_is_compared_in_constant_time(phone, anonymous, monkeypatch):
    """How long a comparison takes would tell how many bytes of a forged MAC are right.

    ASVS 5.0 V11.2.4; the MAC has 256 bits (V7.2.3 asks for 128, SP 800-63B-4 §5.1 for 64).
    """
    compared = []
    real = hmac.compare_digest

    def compare(*both):
        compared.append(both)
        return real(*both)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    data = base64.urlsafe_b64decode(phone.refresh_token)
    forged = base64.urlsafe_b64encode(data[:-1] + bytes([data[-1] ^ 1])).decode()
    refused_without_the_database(anonymous, forged)
    assert compared == [(data[-32:], data[-32:-1] + bytes([data[-1] ^ 1]))]


def test_every_character_of_a_refresh_token_matters(phone, anonymous):
    for at, char in enumerate(phone.refresh_token):
        other = "A" if char != "A" else "B"
        token = phone.refresh_token[:at] + other + phone.refresh_token[at + 1 :]
        refused_without_the_database(anonymous, token)


@TAKERS
@pytest.mark.parametrize("junk", ["=", "A", "AAAA", ".", "%00"])
def test_a_refresh_token_with_something_behind_it(phone, anonymous, path, field, junk):
    refused_without_the_database(anonymous, phone.refresh_token + junk, path, field)


@pytest.mark.parametrize("length", [1, 36, 72, 75])
def test_a_refresh_token_cut_short(phone, anonymous, length):
    refused_without_the_database(anonymous, phone.refresh_token[:length])


def other_key():
    return RefreshKeyRing((RefreshKey.from_secret(b"the refresh key of quite another site"),))


@TAKERS
def test_a_refresh_token_of_another_site(phone, anonymous, path, field):
    token = encode_refresh(RefreshClaims(phone.session_id, 0), other_key())
    refused_without_the_database(anonymous, token, path, field)


@TAKERS
def test_a_refresh_token_under_our_key_id_and_another_key(phone, anonymous, path, field):
    (ours,) = refresh_key_ring().keys
    ring = RefreshKeyRing((RefreshKey(ours.key_id, b"the secret of quite another site"),))
    token = encode_refresh(RefreshClaims(phone.session_id, 0), ring)
    refused_without_the_database(anonymous, token, path, field)


def test_a_refresh_token_signed_with_the_access_key(phone, anonymous, settings):
    (key,) = settings.JWT_REVOKE["SIGNING_KEYS"]
    (ours,) = refresh_key_ring().keys
    ring = RefreshKeyRing((RefreshKey(ours.key_id, key.encode()),))
    token = encode_refresh(RefreshClaims(phone.session_id, 0), ring)
    refused_without_the_database(anonymous, token)


def test_a_refresh_token_of_another_format(phone, anonymous, monkeypatch):
    """An authentic one even: a later version of ours."""
    monkeypatch.setattr(codec, "_REFRESH_FORMAT", 2)
    token = encode_refresh(RefreshClaims(phone.session_id, 0), refresh_key_ring())
    monkeypatch.undo()
    refused_without_the_database(anonymous, token)


def test_a_refresh_token_as_access_token(phone, anonymous):
    bearer = f"Bearer {phone.refresh_token}"
    assert_refused_header(anonymous.get("/api/ping/", HTTP_AUTHORIZATION=bearer), "invalid")


@pytest.mark.parametrize("path", ["token/refresh/", "token/blacklist/", "logout/"])
def test_an_access_token_as_refresh_token(phone, anonymous, path):
    refused_without_the_database(anonymous, phone.access, path)
    assert phone.standing == "live"


def test_the_successor_cannot_be_had_by_counting_up(phone, anonymous):
    """The counter is inside the signature."""
    data = bytearray(base64.urlsafe_b64decode(phone.refresh_token))
    counter = codec._REFRESH_HEAD.size - 1
    data[counter] += 1
    refused_without_the_database(anonymous, base64.urlsafe_b64encode(bytes(data)).decode())


def test_a_thief_who_refreshed_first_is_out_when_the_owner_does(phone, anonymous):
    """Invariant 5, RFC 9700 §4.14.2: whoever is second, both are out."""
    stolen, url = phone.refresh_token, AUTH + "token/refresh/"
    thief = anonymous.post(url, {"refresh": stolen}, HTTP_USER_AGENT="Thief/1").json()
    assert phone.post(url, {"refresh": stolen}).status_code == 401
    response = anonymous.post(url, {"refresh": thief["refresh"]}, HTTP_USER_AGENT="Thief/1")
    assert response.status_code == 401
    bearer = f"Bearer {thief['access']}"
    assert_refused_header(anonymous.get("/api/ping/", HTTP_AUTHORIZATION=bearer), "revoked")


def test_a_retired_key_still_verifies_until_it_is_removed(phone, anonymous, settings):
    old, new = settings.JWT_REVOKE["REFRESH_KEYS"][0], "a new refresh key of 32 bytes or more"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REFRESH_KEYS": [new, old]}
    url, body = AUTH + "token/refresh/", {"refresh": phone.refresh_token}
    assert phone.post(url, body).status_code == 200
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REFRESH_KEYS": [new]}
    refresh_key_ring()  # a process asks once which keys are marked
    refused_without_the_database(anonymous, phone.refresh_token)
