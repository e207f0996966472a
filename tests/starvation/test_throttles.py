"""Guesses in parallel, under every name that a client can give itself."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests import services
from tests.conftest import credentials
from tests.services.redis import Redis
from tests.services.starting import started
from tests.starvation.conftest import SERVED, Site, served
from tests.starvation.crowd import PATIENCE, Answer, crowd, figures, request
from tests.wire import AUTH

pytestmark = [*SERVED, pytest.mark.redis]

GUESSERS = 120
BY_ADDRESS, BY_NAME = 30, 10
RATES = {"jwt_revoke_token": f"{BY_ADDRESS}/day", "jwt_revoke_token_user": f"{BY_NAME}/day"}
ANYBODY = "192.0.2.7"
"""Who a proxy of the site's own says is asking."""
SPOOFED = {
    "as a browser behind a proxy": [("X-Forwarded-For", "6.6.6.{n}")],
    "as many proxies": [("X-Forwarded-For", "6.6.6.{n}, 10.0.0.{n}, 10.0.0.1")],
    "two of them": [("X-Forwarded-For", "6.6.6.{n}"), ("X-Forwarded-For", "7.7.7.{n}")],
    "in IPv6": [("X-Forwarded-For", "2001:db8:{n}::1")],
    "with a port": [("X-Forwarded-For", "6.6.6.{n}:1234")],
    "of no shape": [("X-Forwarded-For", "{n},,;\t{n}")],
    "with underscores": [("X_Forwarded_For", "6.6.6.{n}")],
    "by other names": [
        ("Forwarded", "for=6.6.6.{n}"),
        ("X-Real-IP", "6.6.6.{n}"),
        ("X-Client-IP", "6.6.6.{n}"),
        ("True-Client-IP", "6.6.6.{n}"),
        ("Remote-Addr", "6.6.6.{n}"),
    ],
}


@pytest.fixture(scope="module")
def counter() -> Iterator[Redis]:
    with started(services.redis()) as server:
        yield server


@pytest.fixture
def redis(counter: Redis) -> Redis:
    with counter.client() as client:
        client.flushall()
    return counter


def cache(redis: Redis) -> dict[str, str]:
    return {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": redis.url}


@pytest.fixture(scope="module")
def site(counter: Redis, django_db_setup: None, tmp_path_factory: Any) -> Iterator[Site]:
    """Its clients reach it as they are."""
    own = {"rates": RATES, "cache": cache(counter)}
    with served(tmp_path_factory.mktemp("site"), {}, own) as site:
        yield site


@pytest.fixture(scope="module")
def proxied(counter: Redis, django_db_setup: None, tmp_path_factory: Any) -> Iterator[Site]:
    """Behind one proxy, which appends to the header what it sees."""
    own = {"rates": RATES, "cache": cache(counter), "proxies": 1}
    with served(tmp_path_factory.mktemp("proxied"), {}, own) as site:
        yield site


def guess(name: str, *headers: tuple[str, str]) -> bytes:
    """With headers of any spelling, and the same one twice."""
    head, gap, body = request(AUTH + "token/", credentials(name, "a guess")).partition(b"\r\n\r\n")
    lines = "".join(f"\r\n{name}: {value}" for name, value in headers)
    return head + lines.encode() + gap + body


def guesses(site: Site, requests: list[bytes]) -> list[Answer]:
    """By as many clients, all at once, to whichever of the processes takes them."""
    answers = [answer for (answer,) in crowd(site.port, [[message] for message in requests])]
    figures("guesses", answers)
    return answers


def let_through(answers: list[Answer]) -> int:
    """How many were judged; the others were told how long to wait."""
    assert {answer.status for answer in answers} == {401, 429}
    refused = [answer for answer in answers if answer.status == 429]
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    return len(answers) - len(refused)


def test_a_burst_for_one_name_is_let_through_as_often_as_the_rate_says(
    redis: Redis, proxied: Site, user: Any
) -> None:
    """From another address each: a botnet."""
    botnet = [
        guess("alice", ("X-Forwarded-For", f"192.0.2.{number}")) for number in range(GUESSERS)
    ]
    assert let_through(guesses(proxied, botnet)) == BY_NAME


def spoofing(*appended: tuple[str, str]) -> list[bytes]:
    """A guess for another name each time, from whoever it says in one of all those ways."""
    ways = itertools.islice(itertools.cycle(SPOOFED.values()), GUESSERS)
    return [
        guess(f"user{n}", *[(name, value.format(n=n)) for name, value in way], *appended)
        for n, way in enumerate(ways)
    ]


def test_a_burst_from_one_address_is_let_through_as_often_as_the_rate_says(
    redis: Redis, site: Site, user: Any
) -> None:
    """Whoever it says it is: one way that is believed would be more."""
    assert let_through(guesses(site, spoofing())) == BY_ADDRESS


def test_a_burst_through_a_proxy_is_let_through_as_often_as_the_rate_says(
    redis: Redis, proxied: Site, user: Any
) -> None:
    """What the proxy appends counts, though it be a header of its own (RFC 9110 §5.3)."""
    attack = spoofing(("X-Forwarded-For", ANYBODY))
    assert let_through(guesses(proxied, attack)) == BY_ADDRESS


def test_an_address_that_has_had_its_share_uses_up_nobody_s_name(
    redis: Redis, proxied: Site, user: Any
) -> None:
    """Or one client could shut everybody's account, one burst a name."""
    mallory = ("X-Forwarded-For", "6.6.6.6")
    guesses(proxied, [guess(f"user{number}", mallory) for number in range(GUESSERS)])

    answers = guesses(proxied, [guess("alice", mallory)] * GUESSERS)

    assert {answer.status for answer in answers} == {429}
    owner = request(AUTH + "token/", credentials("alice"), X_Forwarded_For=ANYBODY)
    ((answer,),) = crowd(proxied.port, [[owner]])
    assert answer.status == 200


def test_an_address_that_has_had_its_share_is_refused_before_its_body_is_read(
    redis: Redis, site: Site, user: Any
) -> None:
    """It keeps no thread waiting for a name that is never sent."""
    guesses(site, [guess(f"user{number}") for number in range(GUESSERS)])
    head, _gap, _body = guess("alice").partition(b"\r\n\r\n")

    with socket.create_connection(("127.0.0.1", site.port), timeout=PATIENCE) as client:
        client.sendall(head + b"\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 429 ")
