"""Any bytes in the header are an answer (invariant 10)."""

from __future__ import annotations

import pytest

from tests.wire import assert_refused_header

pytestmark = pytest.mark.once

PING = "/api/ping/"


def ping(client, header):
    return client.get(PING, HTTP_AUTHORIZATION=header)


@pytest.mark.parametrize("between", [",", ", ", " ", "\t", ",Bearer ", ", Bearer "])
def test_two_values(phone, anonymous, between):
    """Servers join repeated headers with a comma: neither token is chosen."""
    header = f"Bearer {phone.access}{between}{phone.access}"
    assert_refused_header(ping(anonymous, header), "invalid")


def test_a_live_token_before_one_of_the_attacker(phone, anonymous):
    assert_refused_header(ping(anonymous, f"Bearer {phone.access}, Bearer a.b.c"), "invalid")


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "bearer\t"])
def test_a_scheme_and_no_token(db, anonymous, header):
    assert_refused_header(ping(anonymous, header), "invalid")


@pytest.mark.parametrize("byte", range(0x20))
def test_a_control_character_within_the_token(phone, anonymous, byte):
    header = f"Bearer {phone.access[:50]}{chr(byte)}{phone.access[50:]}"
    assert_refused_header(ping(anonymous, header), "invalid")


@pytest.mark.parametrize("byte", [0x7F, 0x80, 0xA0, 0xAD, 0xE9, 0xFF])
def test_a_byte_that_is_no_ascii(phone, anonymous, byte):
    header = f"Bearer {phone.access[:50]}{chr(byte)}{phone.access[50:]}"
    assert_refused_header(ping(anonymous, header), "invalid")


@pytest.mark.parametrize("scheme", ["Bearér", "Bearer\0", "\xff"])
def test_a_scheme_of_any_bytes_is_no_credential(phone, anonymous, scheme):
    response = ping(anonymous, f"{scheme} {phone.access}")
    assert response.status_code == 401
    assert "error" not in response["WWW-Authenticate"]


@pytest.mark.leaks("the attack, and Django's record of the request", "URL", "log record django")
@pytest.mark.parametrize("name", ["access", "token", "access_token", "jwt"])
def test_a_token_in_the_url_is_no_credential(phone, anonymous, name):
    """RFC 9700 §4.3.2: URLs are logged, and sent on as referrers."""
    assert anonymous.get(PING, {name: phone.access}).status_code == 401


@pytest.mark.parametrize("name", ["access", "token", "access_token", "jwt", "Authorization"])
def test_a_token_in_a_cookie_is_no_credential(phone, anonymous, name):
    """What a browser sends by itself can be forged across sites."""
    anonymous.cookies[name] = phone.access
    assert anonymous.get(PING).status_code == 401


def test_a_token_in_the_body_is_no_credential(phone, anonymous):
    response = anonymous.post("/api/auth/reauthenticate/", {"access_token": phone.access})
    assert response.status_code == 401


@pytest.mark.parametrize("header", ["X-Authorization", "Proxy-Authorization", "X-Access-Token"])
def test_a_token_in_another_header_is_no_credential(phone, anonymous, header):
    name = "HTTP_" + header.upper().replace("-", "_")
    assert anonymous.get(PING, **{name: f"Bearer {phone.access}"}).status_code == 401
