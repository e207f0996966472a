"""Every required claim, of the right type and value (RFC 8725 §3.8, §3.9; RFC 9068 §4;
ASVS 5.0 V9.2)."""

from __future__ import annotations

import json

import pytest

from tests.attacks.forging import MISSING, changed, forged, parts_of, signed
from tests.conftest import make_user

pytestmark = pytest.mark.once  # judged before any database is asked

TEXTS = ("sub", "sid", "jti")
NUMBERS = ("iat", "exp", "auth_time", "ver", "gen")
REQUIRED = (*TEXTS, *NUMBERS, "token_type")


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [MISSING, None, [], {}, True, "", 1.0, "\0", "\ud800"])
def test_a_required_claim_missing_or_of_another_type(phone, assert_refused, name, value):
    assert_refused(forged(phone.access, **{name: value}))


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["2000000000", "٣", 2e9, -1, 2**63, 10**300, False])
def test_a_number_that_is_none(phone, assert_refused, name, value):
    """Python takes "2000000000" for a number and True for 1; PyJWT takes the first in ``exp``."""
    assert_refused(forged(phone.access, **{name: value}))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", [1, 1.5, ["x"], {"x": "x"}, "x" * 256, "x\0y"])
def test_a_text_that_is_none_or_too_long(phone, assert_refused, name, value):
    assert_refused(forged(phone.access, **{name: value}))


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 4000])
def test_numbers_that_json_does_not_have(phone, assert_refused, name, value):
    head, body = parts_of(phone.access)
    text = json.dumps({**body, name: "HERE"}).replace('"HERE"', value)
    assert_refused(signed(changed(head, {}), text.encode()))


@pytest.mark.parametrize("spelling", ["{{{}}}", "urn:uuid:{}", "{} "])
def test_another_spelling_of_the_session(phone, assert_refused, spelling):
    assert_refused(forged(phone.access, sid=spelling.format(phone.session_id)))


def claims_sid(device):
    """The session's id, with a letter in it so that case shows."""
    return str(device.session_id)[:-1] + "a"


@pytest.mark.parametrize("change", [str.upper, lambda sid: sid.replace("-", "")])
def test_another_form_of_the_session(phone, assert_refused, change):
    assert_refused(forged(phone.access, sid=change(claims_sid(phone))))


@pytest.mark.parametrize("nbf", ["x", [], None, 1e308, "9" * 400, 2**70, 2**40])
def test_a_not_before_of_any_kind(phone, assert_refused, nbf):
    assert_refused(forged(phone.access, nbf=nbf))


@pytest.mark.parametrize("token_type", ["refresh", "ACCESS", "sliding", ["access"]])
def test_a_token_made_for_something_else(phone, assert_refused, token_type):
    assert_refused(forged(phone.access, token_type=token_type))


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b"1", b'"x"', b"{}", b"{", b"\xff"])
def test_a_payload_that_is_no_object_of_ours(phone, assert_refused, payload):
    head, _ = parts_of(phone.access)
    assert_refused(signed(changed(head, {}), payload))


@pytest.mark.parametrize("name", REQUIRED)
def test_a_name_twice_in_the_payload(phone, assert_refused, name):
    """A second reader may see the first."""
    head, body = parts_of(phone.access)
    twice = json.dumps(body)[:-1] + f', "{name}": {json.dumps(body[name])}}}'
    assert_refused(signed(changed(head, {}), twice.encode()))


def test_a_name_twice_deep_in_the_payload(phone, assert_refused):
    head, body = parts_of(phone.access)
    text = json.dumps(body)[:-1] + ', "own": [{"role": "user", "role": "admin"}]}'
    assert_refused(signed(changed(head, {}), text.encode()))


@pytest.mark.parametrize("iss", [MISSING, None, "", "https://site.example/",
                                 ["https://site.example"], "https://evil.example",
                                 "site", "https://site.ex"])  # fmt: skip
def test_a_wrong_issuer(user, sign_in, settings, assert_refused, iss):
    """RFC 8725 §3.8; a part of the right one: CVE-2024-53861."""
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "ISSUER": "https://site.example"}
    device = sign_in(user)
    assert device.standing == "live"
    assert_refused(forged(device.access, iss=iss))


@pytest.mark.parametrize(
    "aud", [MISSING, None, "", "ap", "api2", [], ["api"], ["api", "other"], {"api": 1}]
)
def test_a_wrong_audience(user, sign_in, settings, assert_refused, aud):
    """RFC 8725 §3.9; an empty list: CVE-2020-26160."""
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "AUDIENCE": "api"}
    device = sign_in(user)
    assert device.standing == "live"
    assert_refused(forged(device.access, aud=aud))


def test_a_token_for_somebody_else_where_we_are_nobody(phone, assert_refused):
    assert_refused(forged(phone.access, aud="another service"))


def test_somebody_elses_session(phone, sign_in, assert_refused):
    """The session decides, and it is not of that user."""
    other = sign_in(make_user("bob"))
    _, body = parts_of(other.access)
    assert_refused(forged(phone.access, sub=body["sub"], ver=body["ver"]), "revoked")
