"""``X-Forwarded-For`` is whatever a client writes there, unless the site says who appended it."""

from __future__ import annotations

import io

import pytest
from django.core.cache import cache
from django.core.handlers.asgi import ASGIRequest

from jwt_revoke.models import DeviceSession
from jwt_revoke.user_agents import client_address
from tests.conftest import credentials
from tests.wire import AUTH

URL = AUTH + "token/"


@pytest.fixture
def proxies(settings):
    def configure(number, **rates):
        configured = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
        settings.REST_FRAMEWORK = {
            **settings.REST_FRAMEWORK,
            "NUM_PROXIES": number,
            "DEFAULT_THROTTLE_RATES": {**configured, **rates},
        }

    return configure


def address_of_sign_in(client, forwarded, **extra):
    response = client.post(URL, credentials(), HTTP_X_FORWARDED_FOR=forwarded, **extra)
    assert response.status_code == 200, response.content
    return DeviceSession.objects.get(pk=response.json()["session"]).ip_address


def test_by_default_the_header_is_ignored(user, anonymous):
    assert address_of_sign_in(anonymous, "6.6.6.6") == "127.0.0.1"


def test_without_proxies_the_header_is_ignored(user, anonymous, proxies):
    proxies(0)
    assert address_of_sign_in(anonymous, "6.6.6.6") == "127.0.0.1"


def test_behind_one_proxy_the_address_is_what_it_appended(user, anonymous, proxies):
    proxies(1)
    assert address_of_sign_in(anonymous, "6.6.6.6, 192.0.2.7") == "192.0.2.7"


def test_behind_two_proxies_the_address_is_what_the_first_appended(user, anonymous, proxies):
    proxies(2)
    assert address_of_sign_in(anonymous, "6.6.6.6, 192.0.2.7, 10.0.0.1") == "192.0.2.7"


@pytest.mark.parametrize(
    "junk",
    [
        "unknown",
        "1.2.3.4:80",
        "_hidden",
        "6.6.6.6.6",
        "x" * 10_000,
        "' OR 1=1 --",
        "\0",
        "é",
        "9" * 5000,
    ],
    ids=lambda junk: repr(junk)[:20],
)
def test_what_is_no_address_is_kept_as_none(user, anonymous, proxies, junk):
    proxies(1)
    assert address_of_sign_in(anonymous, junk) is None


@pytest.mark.parametrize("zone", ["eth0", "x" * 500, "'; --"])
def test_an_ipv6_zone_is_cut_off(user, anonymous, proxies, zone):
    """It has any length and any characters, and no database stores it."""
    proxies(1)
    assert address_of_sign_in(anonymous, f"fe80::1%{zone}") == "fe80::1"


@pytest.mark.parametrize("address", ["", "unix:", "fe80::1%eth0"])
def test_a_server_behind_a_socket_has_strange_remote_addresses(user, anonymous, address):
    response = anonymous.post(URL, credentials(), REMOTE_ADDR=address)
    assert response.status_code == 200


def test_no_guesses_are_won_by_another_header_each_time(db, anonymous, proxies):
    cache.clear()
    proxies(None, jwt_revoke_token="2/day")
    statuses = [
        anonymous.post(URL, credentials(f"u{n}"), HTTP_X_FORWARDED_FOR=f"6.6.6.{n}").status_code
        for n in range(3)
    ]
    cache.clear()
    assert statuses == [401, 401, 429]


def test_no_guesses_are_won_by_prepending_behind_a_proxy(db, anonymous, proxies):
    cache.clear()
    proxies(1, jwt_revoke_token="2/day")
    statuses = [
        anonymous.post(
            URL, credentials(f"u{n}"), HTTP_X_FORWARDED_FOR=f"6.6.6.{n}, 192.0.2.7"
        ).status_code
        for n in range(3)
    ]
    cache.clear()
    assert statuses == [401, 401, 429]


@pytest.mark.once
def test_a_header_spelt_with_underscores_is_not_the_proxys(proxies):
    """Under ASGI it would stand behind what the proxy appended (CVE-2026-3902)."""
    proxies(1)
    headers = [(b"x-forwarded-for", b"192.0.2.7"), (b"x_forwarded_for", b"6.6.6.6")]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
    assert client_address(ASGIRequest(scope, io.BytesIO())) == "192.0.2.7"
