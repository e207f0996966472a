"""What the parts of a check cost alone: nobody who needs them can be quicker."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import jwt
from django.contrib.auth import get_user_model
from django.core.cache import caches
from django.db import connection
from django.test import RequestFactory
from django_redis import get_redis_connection  # type: ignore[import-untyped]  # it has no types
from rest_framework.response import Response
from rest_framework.views import APIView

Call = Callable[[], object]


@dataclass(frozen=True)
class Floor:
    """``made()``: a context in which the call can be made."""

    name: str
    made: Callable[[], AbstractContextManager[Call]]


def payload() -> dict[str, Any]:
    """What a token of ours says."""
    now = int(time.time())
    return {
        "token_type": "access",
        "sub": "1",
        "sid": str(uuid4()),
        "jti": str(uuid4()),
        "iat": now,
        "exp": now + 7200,
        "auth_time": now,
        "ver": now * 1000,
        "gen": 0,
    }


@contextlib.contextmanager
def _decode() -> Iterator[Call]:
    """A token like ours, by PyJWT as its documentation calls it."""
    key = secrets.token_bytes(64)
    token = jwt.encode(payload(), key, "HS256")
    yield lambda: jwt.decode(token, key, algorithms=["HS256"])


@contextlib.contextmanager
def _hmac() -> Iterator[Call]:
    """The same token by Python's library alone: what no verification can do without."""
    key = secrets.token_bytes(64)
    token = jwt.encode(payload(), key, "HS256").encode()

    def verify() -> Any:
        signed, _, signature = token.rpartition(b".")
        expected = base64.urlsafe_b64encode(hmac.digest(key, signed, "sha256")).rstrip(b"=")
        if not hmac.compare_digest(expected, signature):
            raise ValueError
        return json.loads(base64.urlsafe_b64decode(signed.partition(b".")[2] + b"=="))

    yield verify


@contextlib.contextmanager
def _redis_get() -> Iterator[Call]:
    """By redis-py's client, from its pool."""
    client: Any = get_redis_connection("default")
    client.set("benchmark", "1")
    try:
        yield lambda: client.get("benchmark")
    finally:
        client.delete("benchmark")
        caches["default"].close()


@contextlib.contextmanager
def _redis_xrange() -> Iterator[Call]:
    """By a bare connection of redis-py, the command packed once; one entry comes back."""
    client: Any = get_redis_connection("default")
    client.xadd("benchmark", {"entry": "x" * 200}, id="1-0")
    pool = client.connection_pool
    bare = pool.get_connection()
    packed = bare.pack_command("XRANGE", "benchmark", "1-0", "+", "COUNT", 1000)

    def ask() -> Any:
        bare.send_packed_command(packed, check_health=False)
        return bare.read_response()

    try:
        yield ask
    finally:
        pool.release(bare)
        client.delete("benchmark")
        caches["default"].close()


@contextlib.contextmanager
def _select_one() -> Iterator[Call]:
    """By Django's cursor, as each of our statements."""

    def ask() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone()

    yield ask


@contextlib.contextmanager
def _select_user() -> Iterator[Call]:
    """All of a user's row, by its key, without the ORM."""
    model: Any = get_user_model()
    key = model.objects.values_list("pk", flat=True).first()
    columns = ", ".join(f'"{column.column}"' for column in model._meta.concrete_fields)
    statement = f"SELECT {columns} FROM {model._meta.db_table} WHERE id = %s"

    def ask() -> Any:
        with connection.cursor() as cursor:
            cursor.execute(statement, [key])
            return cursor.fetchone()

    yield ask


class _EmptyView(APIView):
    authentication_classes: Any = []
    permission_classes: Any = []

    def get(self, _request: Any) -> Response:
        return Response()


@contextlib.contextmanager
def _dispatch() -> Iterator[Call]:
    """A view of REST framework that authenticates nobody; its answer is not rendered."""
    view, request = _EmptyView.as_view(), RequestFactory().get("/")
    yield lambda: view(request)


FLOORS: Final = (
    Floor("PyJWT decode, HS256", _decode),
    Floor("HMAC and JSON, HS256", _hmac),
    Floor("Redis GET, redis-py client", _redis_get),
    Floor("Redis XRANGE, bare connection", _redis_xrange),
    Floor("PostgreSQL SELECT 1, Django cursor", _select_one),
    Floor("PostgreSQL SELECT of a user, Django cursor", _select_user),
    Floor("REST framework, empty view", _dispatch),
)
