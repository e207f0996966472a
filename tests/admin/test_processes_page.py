"""The replica's processes in the admin: read-only, for who may look."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from jwt_revoke.database import DatabaseNow
from jwt_revoke.models import ReplicaProcess

LIST = "/admin/jwt_revoke/replicaprocess/"


def add(number: int = 1, *, seconds_ago: float = 0, **fields: Any) -> ReplicaProcess:
    values = {
        "host": "web1",
        "pid": 4711,
        "log": "database",
        "max_staleness": 0.25,
        "age": 0.12,
        "sequence": 40,
        "behind": 2,
        "entries": 7,
        "fallbacks": 1,
        "reads": 99,
    }
    row = ReplicaProcess.objects.create(
        pk=UUID(int=number),
        started_at=timezone.now(),
        seen_at=timezone.now(),
        **values | fields,
    )
    ago = DatabaseNow() - timedelta(seconds=seconds_ago)
    ReplicaProcess.objects.filter(pk=row.pk).update(seen_at=ago)
    return row


def shown(client: Client, query: str = "") -> list[str]:
    """What each row is called."""
    response = client.get(LIST + query)
    assert response.status_code == 200
    return [str(row) for row in response.context["cl"].result_list]


def page(client: Client) -> str:
    return client.get(LIST).content.decode()


def test_it_is_in_the_index(admin: Client) -> None:
    assert "Replica processes" in admin.get("/admin/").content.decode()


def test_the_last_seen_comes_first(admin: Client) -> None:
    add(1, host="web1", seconds_ago=60)
    add(2, host="web2")

    assert shown(admin) == ["web2:4711", "web1:4711"]


def test_it_shows_how_far_a_process_is(admin: Client) -> None:
    add()

    text = page(admin)

    for cell in ["web1:4711", "running", "database", ">2<", "0.12 s ago", ">7<", ">1<"]:
        assert cell in text


def test_a_process_that_has_gone_is_shown_as_such(admin: Client) -> None:
    add(seconds_ago=20)

    assert "not seen of late" in page(admin)


def test_a_process_that_nobody_asks_is_idle(admin: Client) -> None:
    add(age=100.0)

    assert ">idle<" in page(admin)


def test_a_process_that_cannot_read_is_shown_as_such(admin: Client) -> None:
    add(age=None, sequence=None, behind=None)

    assert ">not reading<" in page(admin)


def test_search_by_host(admin: Client) -> None:
    add(1, host="web1")
    add(2, host="web2")

    assert shown(admin, "?q=web2") == ["web2:4711"]
    assert shown(admin, "?q=web") == []


def test_the_number_of_queries_does_not_depend_on_the_rows(admin: Client) -> None:
    add(1)
    with CaptureQueriesContext(connection) as few:
        shown(admin)
    for number in range(2, 40):
        add(number)
    with CaptureQueriesContext(connection) as many:
        assert len(shown(admin)) == 39

    assert len(many) == len(few)


def test_a_process_can_be_looked_at(admin: Client) -> None:
    row = add()

    text = admin.get(f"{LIST}{row.pk}/change/").content.decode()

    for field in [str(row.pk), "4711", "0.25", "40", "99"]:
        assert field in text


@pytest.mark.parametrize("address", ["add/", "{id}/change/", "{id}/delete/"])
def test_not_even_a_superuser_writes(admin: Client, address: str) -> None:
    row = add()

    response = admin.post(LIST + address.format(id=row.pk), {"host": "other", "post": "yes"})

    assert response.status_code == 403
    assert ReplicaProcess.objects.get().host == "web1"


def test_staff_need_the_permission_to_look(staff: Callable[..., Client]) -> None:
    assert staff().get(LIST).status_code == 403


def test_staff_with_the_permission_look(staff: Callable[..., Client]) -> None:
    client = staff("jwt_revoke.view_replicaprocess")

    assert client.get(LIST).status_code == 200
    assert "Replica processes" in client.get("/admin/").content.decode()


def test_the_page_speaks_german(admin: Client) -> None:
    add(age=None)
    with translation.override("de"):
        text = page(admin)

    assert "Replikatprozesse" in text
    assert "liest nicht" in text
