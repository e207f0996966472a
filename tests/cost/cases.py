"""What is counted: a check by each backend that matters, its token seen before or not."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import UUID

import jwt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import override_settings
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from jwt_revoke.authentication import JWTAuthentication
from jwt_revoke.backends.base import get_backend
from jwt_revoke.codec import encode_access
from jwt_revoke.keystore import key_ring
from jwt_revoke.testing import Device
from jwt_revoke.verification import verified_claims
from tests.cost import plan
from tests.cost.yardstick import yardstick

KEPT = 8
"""Tokens that a process remembers where each is to be a first sight: full, as that of a busy site,
and far fewer than the tokens that come in turn."""

Call = Callable[[Any], object]


@dataclass(frozen=True)
class Counted:
    """A call, and what it is made with, in turn."""

    call: Call
    arguments: Sequence[Any]


Case = Callable[[], AbstractContextManager[Counted]]


@contextlib.contextmanager
def units() -> Iterator[Counted]:
    """What the others are measured in."""
    yield Counted(yardstick, [None])


@contextlib.contextmanager
def pyjwt() -> Iterator[Counted]:
    """For comparison: a token of ours, by PyJWT as its documentation calls it."""
    (key,) = settings.JWT_REVOKE["SIGNING_KEYS"]
    with site("stateless.StatelessBackend"):
        token = jwt.encode(dict(verified_claims(_token()).payload), key, "HS256")
    yield Counted(lambda raw: jwt.decode(raw, key, algorithms=["HS256"]), [token])


@contextlib.contextmanager
def stateless() -> Iterator[Counted]:
    with site("stateless.StatelessBackend"):
        yield Counted(JWTAuthentication().authenticate, [_request(_token())])


@contextlib.contextmanager
def database() -> Iterator[Counted]:
    with site("database.DatabaseBackend"):
        yield Counted(JWTAuthentication().authenticate, [_request(_token())])


@contextlib.contextmanager
def replica() -> Iterator[Counted]:
    with following():
        yield Counted(JWTAuthentication().authenticate, [_request(_token())])


@contextlib.contextmanager
def first_sight() -> Iterator[Counted]:
    with following(VERIFIED_CACHE_SIZE=KEPT):
        payload = verified_claims(_token()).payload
        tokens = [
            encode_access({**payload, "jti": str(UUID(int=number))}, key_ring())
            for number in range(8 * KEPT)
        ]
        yield Counted(JWTAuthentication().authenticate, [_request(token) for token in tokens])


@contextlib.contextmanager
def slowed() -> Iterator[Counted]:
    """What the gate has to refuse: a check that reads one JSON document too many."""
    with replica() as counted:
        token = counted.arguments[0].headers["Authorization"].split()[1]
        document = json.dumps(dict(verified_claims(token).payload))

        def call(request: Any) -> object:
            json.loads(document)
            return counted.call(request)

        yield Counted(call, counted.arguments)


CASES: dict[str, Case] = dict(
    zip(
        (plan.UNIT, plan.REFERENCE, *plan.CHECKED, plan.SLOWED),
        (units, pyjwt, stateless, database, replica, first_sight, slowed),
        strict=True,
    )
)


@contextlib.contextmanager
def site(backend: str, **changes: Any) -> Iterator[None]:
    """The settings of the suite, with that backend."""
    configured = {
        **settings.JWT_REVOKE,
        "BACKEND": f"jwt_revoke.backends.{backend}",
        # Under valgrind five minutes may pass.
        "ACCESS_TOKEN_LIFETIME": timedelta(hours=1),
        **changes,
    }
    with override_settings(JWT_REVOKE=configured):
        yield


@contextlib.contextmanager
def following(**changes: Any) -> Iterator[None]:
    """A replica that has read the log, and reads it no more while something is counted."""
    options = {"log": "database", "max_staleness": 3600}
    with site("replica.ReplicaBackend", OPTIONS=options, **changes):
        backend: Any = get_backend()
        # Here and not in a thread, and without the one that reports: all threads are counted.
        with mock.patch("jwt_revoke.backends.replica.backend.Reporter"):
            backend._recover()
        assert backend.ready
        yield
        status = backend.status()
        assert (status["fallbacks"], status["reads"]) == (0, 0), status
        assert threading.active_count() == 1


def _token() -> str:
    model: Any = get_user_model()
    user, _created = model._default_manager.get_or_create(**{model.USERNAME_FIELD: "alice"})
    return Device(user).access


def _request(token: str) -> Request:
    """As an authentication class is given it."""
    plain = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}")
    return APIView().initialize_request(plain)
