"""A site that signs with a key pair, served over HTTP, and those who verify its tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from jwt_revoke.keys import ASYMMETRIC
from tests import services
from tests.attacks.conftest import private_keys
from tests.services.starting import started
from tests.third_parties.verifiers import Jose, Joserfc, ThirdParty
from tests.wire import AUTH

ISSUER = "https://issuer.example/"
AUDIENCE = "https://api.example/"

__all__ = ["private_keys"]

Verify = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def jose() -> Iterator[Jose]:
    """``jose.verify(token, address, …)``: npm's, where Node.js can be had."""
    with started(services.node(Jose.package)) as node:
        yield Jose(node)


@pytest.fixture(params=["jose", "joserfc"])
def third_party(request: pytest.FixtureRequest) -> ThirdParty:
    """A library that is none of ours, nor PyJWT."""
    return request.getfixturevalue("jose") if request.param == "jose" else Joserfc()


@pytest.fixture(params=ASYMMETRIC)
def algorithm(request: pytest.FixtureRequest, settings: Any, private_keys: dict[str, str]) -> str:
    """The site issues access tokens for others, signed by this algorithm."""
    algorithm: str = request.param
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "ALGORITHM": algorithm,
        "SIGNING_KEYS": [private_keys[algorithm]],
        "ISSUER": ISSUER,
        "AUDIENCE": AUDIENCE,
        "CLIENT_ID": "app",
    }
    return algorithm


@pytest.fixture
def address(live_server: Any) -> str:
    """Where the site publishes its keys."""
    return f"{live_server}{AUTH}jwks.json"


@pytest.fixture
def verify(third_party: ThirdParty, address: str, algorithm: str) -> Verify:
    """The claims of a token, as the third party verifies it that the site is meant for."""

    def verify(token: str, **asked: str) -> dict[str, Any]:
        usual = {"algorithm": algorithm, "issuer": ISSUER, "audience": AUDIENCE}
        return third_party.verify(token, address, **usual | asked)

    return verify
