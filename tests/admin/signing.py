"""Signing keys for tests of their pages: some of each state, and the addresses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.db import OperationalError, connection
from django.test import Client

from jwt_revoke import signing_keys
from jwt_revoke.key_sources import lead, overlap
from jwt_revoke.keystore import refresh_key_ring
from jwt_revoke.log import Cause
from jwt_revoke.models import DeviceSession, Generation, Revocation, SigningKey
from tests.admin.conftest import messages_of
from tests.stored import after

USING = "default"
LIST = "/admin/jwt_revoke/signingkey/"
CREATE = LIST + "create/"
ROTATE = LIST + "rotate/"
LEAK = Cause("key_compromised")
NOTHING_DONE = "The database did not answer. Nothing was done: try again."
CONFIGURED = "_Sh-P7bjL6QPVTsv"
"""The id of the key that is in the settings."""
TIME = "%Y-%m-%d %H:%M"


def of(kid: str, what: str) -> str:
    return f"{LIST}{quote(kid)}/{what}/"


def page(client: Client, address: str = LIST) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def rows(client: Client) -> dict[str, Any]:
    """The list: what each key's row says, by the key's id."""
    return {row.key.kid: row for row in client.get(LIST).context["rows"]}


def rotated() -> SigningKey:
    """The key that signs, after a rotation that is over."""
    rotation = signing_keys.rotate(USING)
    assert rotation is not None
    after(seconds=lead() + overlap() + 1)
    return SigningKey.objects.get(pk=rotation.key.pk)


def succeeded_key() -> SigningKey:
    """A key that signed until just now: tokens that it signed may live."""
    key = rotated()
    signing_keys.rotate(USING)
    after(seconds=lead() + 1)
    return SigningKey.objects.get(pk=key.pk)


def refresh_kid() -> str:
    return refresh_key_ring().signing.key_id.hex()


def snapshot() -> list[Any]:
    """All that a change could touch."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (SigningKey, Revocation, Generation, DeviceSession, LogEntry)
    ]


@contextmanager
def unreadable(table: str = "signing_key") -> Iterator[None]:
    """The database does not answer when asked for that table of ours."""

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if f"jwt_revoke_{table}" in sql:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield


def done(client: Client, address: str, **data: str) -> str:
    """What is said on the list after a POST to that address."""
    response = client.post(address, data, follow=True)
    assert response.redirect_chain == [(LIST, 302)]
    (message,) = messages_of(response)
    return message
