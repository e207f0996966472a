"""One token has one text, of a bounded length (invariant 10; RFC 7515 §2, RFC 4648 §3.5)."""

from __future__ import annotations

import json
import string
import time

import pytest

from tests.attacks.forging import b64, changed, forged, parts_of, signed
from tests.wire import AUTH, assert_refused_header

pytestmark = pytest.mark.once

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("padding", ["=", "==", "===="])
def test_padding(phone, assert_refused, part, padding):
    """PyJWT alone takes ``token + "="``: a denylist of texts would be passed by."""
    parts = phone.access.split(".")
    parts[part] += padding
    assert_refused(".".join(parts))


def test_spare_bits(phone, assert_refused):
    """The last character of 32 bytes carries two bits that say nothing: four spellings."""
    *head, last = phone.access
    at = ALPHABET.index(last)
    others = [ALPHABET[at ^ spare] for spare in (1, 2, 3)]
    for other in others:
        assert_refused("".join(head) + other)


@pytest.mark.parametrize("junk", ["+", "/", ".", "!", "é", "\x7f", "%2e", "|"])
def test_characters_outside_of_the_alphabet(phone, assert_refused, junk):
    assert_refused(phone.access[:20] + junk + phone.access[20:])


@pytest.mark.parametrize(
    "token", ["", ".", "..", "...", "a", "a.b", "a.b.c", "a.b.c.d.e", "e30.e30.e30"]
)
def test_what_is_no_token(db, anonymous, token):
    header = f"Bearer {token or '.'}"
    assert_refused_header(anonymous.get("/api/ping/", HTTP_AUTHORIZATION=header), "invalid")


@pytest.mark.parametrize("parts", [1, 2, 4, 5])
def test_another_number_of_parts(phone, assert_refused, parts):
    """Five parts are an encrypted token (RFC 7516), which we never issue."""
    assert_refused(".".join((phone.access.split(".") * 2)[:parts]))


def test_json_serialization_of_a_jws(phone, anonymous):
    head, body, signature = phone.access.split(".")
    token = json.dumps({"protected": head, "payload": body, "signature": signature})
    response = anonymous.post(AUTH + "token/verify/", {"token": token})
    assert response.status_code == 401


@pytest.mark.parametrize("length", [8193, 20_000, 1_000_000])
def test_an_over_long_token_in_the_header(phone, assert_refused, anonymous, length):
    token = phone.access + "A" * (length - len(phone.access))
    response = anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert_refused_header(response, "invalid")


def test_an_over_long_token_is_refused_before_it_is_read(phone, anonymous, monkeypatch):
    """Its length alone decides: not decoded, not hashed, not parsed."""
    from jwt_revoke import codec

    def unwanted(*args, **kwargs):
        raise AssertionError("work was done")

    monkeypatch.setattr(codec, "_require_canonical", unwanted)
    monkeypatch.setattr(codec, "_json_object", unwanted)
    header = f"Bearer {phone.access}{'A' * 8192}"
    response = anonymous.get("/api/ping/", HTTP_AUTHORIZATION=header)
    assert_refused_header(response, "invalid")


def test_a_megabyte_is_refused_at_once(phone, anonymous):
    """No regular expression and no decoder runs over it."""
    header = "Bearer " + "A" * 1_000_000 + ".A.A"
    started = time.process_time()
    for _ in range(20):
        anonymous.get("/api/ping/", HTTP_AUTHORIZATION=header)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_json_in_the_payload(phone, assert_refused, opening):
    head, _ = parts_of(phone.access)
    assert_refused(signed(changed(head, {}), (opening * (5000 // len(opening))).encode()))


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_deep_json_in_the_header(phone, assert_refused, opening):
    _, body = parts_of(phone.access)
    assert_refused(signed((opening * (5000 // len(opening))).encode(), changed(body, {})))


def test_deep_json_that_is_well_formed(phone, assert_refused):
    head, body = parts_of(phone.access)
    text = json.dumps({**body, "jti": "HERE"}).replace('"HERE"', "[" * 2500 + "]" * 2500)
    assert_refused(signed(changed(head, {}), text.encode()))


def with_own_claim(token, text):
    """Signed by the site, whose ``CLAIMS`` may hand on what a user has stored."""
    head, body = parts_of(token)
    return signed(changed(head, {}), f'{json.dumps(body)[:-1]}, "own": {text}}}'.encode())


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_a_claim_may_nest_as_deep_as_the_bound_says_and_no_deeper(
    phone, anonymous, assert_refused, opening, closing
):
    """To Python's stack alone, 480 levels were read, and then too deep to be copied: a 500."""
    deepest = with_own_claim(phone.access, opening * 63 + "1" + closing * 63)
    response = anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {deepest}")
    assert response.status_code == 200
    for levels in (64, 480, 800):
        assert_refused(with_own_claim(phone.access, opening * levels + "1" + closing * levels))


def test_a_claim_may_hold_many_lists_side_by_side(phone, anonymous):
    """What is counted is how deep, and not how many, nor what stands in a text."""
    token = with_own_claim(phone.access, json.dumps([["["], {}] * 200))
    response = anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert response.status_code == 200


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e9999", "[1e400]", '{"a": 1E400}'])
def test_an_infinity_by_another_name(phone, assert_refused, number):
    """RFC 8259 §6: Python's reader makes an infinity of it, and refuses ``Infinity`` alone."""
    assert_refused(with_own_claim(phone.access, number))


@pytest.mark.parametrize("data", [b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\0"])
def test_bad_utf_8_in_the_payload(phone, assert_refused, data):
    head, body = parts_of(phone.access)
    text = json.dumps({**body, "jti": "HERE"}).encode().replace(b"HERE", data)
    assert_refused(signed(changed(head, {}), text))


def test_a_token_at_the_limit_of_length_is_still_let_in(phone, anonymous):
    """That the tests above refuse for the length and not for something else."""
    rest = 8192 - len(phone.access)
    token = forged(phone.access, own="x" * (rest * 3 // 4 - 40))
    assert 8000 < len(token) <= 8192
    response = anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert response.status_code == 200


@pytest.mark.parametrize("part", [0, 1, 2])
def test_every_character_of_a_token_matters(phone, anonymous, part):
    parts = phone.access.split(".")
    for at in range(0, len(parts[part]), 7):
        other = "A" if parts[part][at] != "A" else "B"
        changed_part = parts[part][:at] + other + parts[part][at + 1 :]
        token = ".".join([*parts[:part], changed_part, *parts[part + 1 :]])
        response = anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {token}")
        assert response.status_code == 401, at


def test_an_empty_part(phone, assert_refused):
    head, body, signature = phone.access.split(".")
    assert_refused(f".{body}.{signature}")
    assert_refused(f"{head}..{signature}")
    assert_refused(f"{head}.{body}.")


def test_base64_of_the_other_alphabet(phone, anonymous):
    token = phone.access.replace("-", "+").replace("_", "/")
    if token == phone.access:
        token = phone.access[:-1] + b64(b"\xff\xff\xff").replace("_", "/")
    response = anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert_refused_header(response, "invalid")


@pytest.mark.parametrize("around", [" {}", "{} ", "\n{}\r\n", "\t {}\u2003"])
def test_white_space_around_a_token_in_a_body_is_no_part_of_it(phone, anonymous, around):
    """As of any field of text; what the codec is given is the token alone."""
    for token in (phone.access, phone.refresh_token):
        answer = anonymous.post(AUTH + "token/verify/", {"token": around.format(token)})
        assert answer.status_code == 200


@pytest.mark.parametrize("part", ["header", "payload"])
def test_white_space_within_the_json_of_a_token_is_only_that(phone, anonymous, part):
    """RFC 8259 §2: not forged, and so not refused. The token's name is its ``jti``."""
    head, body = (json.dumps(value, indent=2).encode() for value in parts_of(phone.access))
    bare = tuple(json.dumps(value).encode() for value in parts_of(phone.access))
    token = signed(head, bare[1]) if part == "header" else signed(bare[0], b"\r\n\t" + body + b" ")
    response = anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert response.status_code == 200
