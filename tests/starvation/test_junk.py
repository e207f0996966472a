"""Tokens that are none, and tokens by the thousand, as fast as they can be sent."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from jwt_revoke.codec import MAX_ACCESS_LENGTH, RefreshClaims, encode_refresh
from jwt_revoke.keys import RefreshKey, RefreshKeyRing
from jwt_revoke.keystore import refresh_key_ring
from jwt_revoke.testing import Device
from tests import services
from tests.attacks.forging import changed, forged, parts_of, signed
from tests.services.proxy import Proxy
from tests.starvation.conftest import SERVED, WORKERS, Site, served
from tests.starvation.crowd import Answer, crowd, figures, request
from tests.wire import AUTH

pytestmark = SERVED

CLIENTS = 16
ROUNDS = int(os.environ.get("STARVATION_ROUNDS", "10"))
REMEMBERED = 40
FOREIGN = "another-key-of-more-than-32-bytes-that-is-not-ours"


@pytest.fixture(scope="module")
def wire(django_db_setup: None) -> Iterator[Proxy]:
    """Between the site and its database."""
    with services.proxy(int(connection.settings_dict["PORT"] or 0)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def site(wire: Proxy, tmp_path_factory: Any) -> Iterator[Site]:
    # Its connections are cut once: each is tried before it is used.
    own = {"database": {"PORT": wire.port, "CONN_HEALTH_CHECKS": True}}
    folder = tmp_path_factory.mktemp("site")
    with served(folder, {"VERIFIED_CACHE_SIZE": REMEMBERED}, own) as site:
        yield site


def access_junk(honest: str) -> dict[str, str]:
    """A text for each way not to be an access token; another one each time."""
    head, body = parts_of(honest)
    once = {"jti": secrets.token_hex(16)}
    return {
        "no token": secrets.token_urlsafe(40),
        "three segments of noise": ".".join(secrets.token_urlsafe(30) for _ in range(3)),
        "another's key": signed(changed(head, {}), changed(body, once), FOREIGN),
        "another's key, 8 KiB": signed(
            changed(head, {}), changed(body, {**once, "x": "x" * 5_800}), FOREIGN
        ),
        "unknown kid": forged(honest, {"kid": secrets.token_hex(8)}),
        "no algorithm": forged(honest, {"alg": "none"}, **once),
        "no claims": signed(changed(head, {}), changed(once, {})),
        "over-long": forged(honest, x="x" * MAX_ACCESS_LENGTH, **once),
        "a name twice": signed(changed(head, {}), b'{"sub":"1","sub":"%d"}' % secrets.randbits(32)),
        "refresh token": forged_refresh(),
    }


def forged_refresh() -> str:
    """Of the right shape, by a secret that is not ours, under the id of one that is."""
    known = refresh_key_ring().signing.key_id
    ring = RefreshKeyRing((RefreshKey(known, secrets.token_bytes(32)),))
    return encode_refresh(RefreshClaims(uuid4(), secrets.randbits(20)), ring)


def junk_requests(honest: str) -> list[bytes]:
    """Each kind of junk wherever a token is taken."""
    found = []
    for text in access_junk(honest).values():
        found += [
            request("/api/ping/", token=text),
            request(AUTH + "sessions/", token=text),
            request(AUTH + "logout/all/", {}, token=text),
            request(AUTH + "token/verify/", {"token": text}),
        ]
    # Authentic once. (At log-out it still is.)
    expired = forged(honest, exp=1)
    found += [
        request("/api/ping/", token=expired),
        request(AUTH + "token/verify/", {"token": expired}),
    ]
    for path in ("token/refresh/", "token/blacklist/", "logout/"):
        found += [
            request(AUTH + path, {"refresh": junk})
            for junk in (forged_refresh(), secrets.token_urlsafe(57), "x" * 8192, "x")
        ]
    return found


def flood(site: Site, requests: list[bytes]) -> list[Answer]:
    """Dealt out to the clients, who send them as fast as they are answered."""
    shares = [requests[at::CLIENTS] for at in range(CLIENTS)]
    answers = [answer for share in crowd(site.port, shares) for answer in share]
    figures("flood", answers)
    return answers


def remembered(answers: list[Answer]) -> int:
    """How many verified tokens one of the processes remembers, whichever has the most."""
    return max(int(answer.headers["x-remembered"]) for answer in answers)


def asked(site: Site, honest: str) -> int:
    """Every process of the site has answered, and so has read its keys; what they remember."""
    most = 0
    seen: set[str] = set()
    while len(seen) < WORKERS:
        answers = flood(site, [request("/api/ping/", token=honest)] * CLIENTS)
        assert {answer.status for answer in answers} == {200}
        seen |= {answer.headers["x-worker"] for answer in answers}
        most = max(most, remembered(answers))
    return most


def test_junk_is_refused_while_there_is_no_database(site: Site, phone: Device, wire: Proxy) -> None:
    """Invariant 10: junk costs the database nothing, so that it cannot even tell that it is gone.
    One statement for any of it would be a 503."""
    asked(site, phone.access)
    wire.cut()
    try:
        answers = flood(site, [one for _ in range(ROUNDS) for one in junk_requests(phone.access)])
        ((honest,),) = crowd(site.port, [[request("/api/ping/", token=phone.access)]])
    finally:
        wire.heal()

    assert {answer.status for answer in answers} == {401}
    assert (honest.status, honest.headers["retry-after"]) == (503, "1")


def test_junk_is_not_remembered(site: Site, phone: Device) -> None:
    """Nobody fills the memory, or drives an honest token out of it, with what is not authentic."""
    before = asked(site, phone.access)

    answers = flood(site, [one for _ in range(ROUNDS) for one in junk_requests(phone.access)])

    # Beside the one that is authentic and expired.
    assert remembered(answers) <= before + 1


def test_a_flood_of_valid_tokens_stays_within_the_size_that_was_set(
    site: Site, phone: Device
) -> None:
    """Who holds a session can refresh for ever, and busts the memory with it: it is bounded."""
    tokens = [forged(phone.access, jti=str(uuid4())) for _ in range(WORKERS * REMEMBERED * 3)]

    answers = flood(site, [request("/api/ping/", token=token) for token in tokens])

    assert {answer.status for answer in answers} == {200}
    assert remembered(answers) == REMEMBERED
