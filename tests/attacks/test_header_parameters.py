"""The header says which key, and nothing else (RFC 8725 §3.10, §3.11; ASVS 5.0 V9.1.3)."""

from __future__ import annotations

import json

import pytest

from tests.attacks.forging import MISSING, b64, changed, forged, parts_of, signed

pytestmark = pytest.mark.once

FLAG = "attacker.example"


@pytest.mark.parametrize(
    "parameter",
    [
        {"jwk": {"kty": "oct", "k": b64(b"attacker's own key of 32 bytes!!")}},
        {"jku": f"https://{FLAG}/jwks.json"},
        {"x5u": f"https://{FLAG}/cert.pem"},
        {"x5c": ["MIIB"]},
        {"x5t": "AAAA"},
        {"x5t#S256": "AAAA"},
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": ["bork"], "bork": True},
        {"crit": ["cnf"], "cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"enc": "A128GCM"},
        {"epk": {}},
        {"p2s": "AAAA", "p2c": 2**31 - 1},
        {"nonce": "x"},
        {"": ""},
    ],
    ids=json.dumps,
)
def test_a_parameter_that_is_none_of_ours(phone, assert_refused, parameter):
    """RFC 7515 §4.1.11, RFC 7797, RFC 8725 §3.6: refused, though the signature is right."""
    assert_refused(forged(phone.access, parameter))


@pytest.mark.parametrize(
    "typ",
    [MISSING, None, "", "JWT", "jwt", "AT+JWT", "application/at+jwt", "at+jwt ", "logout+jwt", 1,
     ["at+jwt"], "rt+jwt"],
    ids=lambda typ: repr(typ) if typ is not MISSING else "missing",
)  # fmt: skip
def test_a_token_of_another_type(phone, assert_refused, typ):
    """RFC 8725 §3.11, RFC 9068 §4: an ID token, say, of the same issuer and key."""
    assert_refused(forged(phone.access, {"typ": typ}))


@pytest.mark.parametrize(
    "head", [b"", b"[]", b"null", b"1", b'"x"', b"{}", b"{", b"\xff\xfe", b"\0"]
)
def test_a_header_that_is_no_object_of_ours(phone, assert_refused, head):
    _, body = parts_of(phone.access)
    assert_refused(signed(head, changed(body, {})))


@pytest.mark.parametrize("name", ["alg", "kid", "typ"])
def test_a_name_twice_in_the_header(phone, assert_refused, name):
    """RFC 8725 §2.6: two parsers, two opinions."""
    head, body = parts_of(phone.access)
    twice = json.dumps(head)[:-1] + f', "{name}": {json.dumps(head[name])}}}'
    assert_refused(signed(twice.encode(), changed(body, {})))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_header_in_another_encoding(phone, assert_refused, encoding):
    """RFC 8725 §3.7, RFC 8259 §8.1: JSON is UTF-8. Python's reader would guess."""
    head, body = parts_of(phone.access)
    assert_refused(signed(json.dumps(head).encode(encoding), changed(body, {})))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
def test_a_payload_in_another_encoding(phone, assert_refused, encoding):
    head, body = parts_of(phone.access)
    assert_refused(signed(changed(head, {}), json.dumps(body).encode(encoding)))
