"""The revocation log in the admin: read-only, and quick however long it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.codec import decode_access
from jwt_revoke.keystore import key_ring
from jwt_revoke.models import Revocation
from jwt_revoke.testing import Device
from tests.conftest import make_user

LIST = "/admin/jwt_revoke/revocation/"


def reasons(client: Client, query: str = "") -> list[str]:
    response = client.get(LIST + query)
    assert response.status_code == 200
    return [entry.reason for entry in response.context["cl"].result_list]


def add_entries(count: int) -> None:
    now = timezone.now()
    Revocation.objects.bulk_create(
        Revocation(
            scope="user",
            subject=str(number),
            effect="session",
            reason="logout_all",
            created_at=now,
            expires_at=now + timedelta(minutes=5),
        )
        for number in range(count)
    )


def test_the_newest_entry_comes_first(admin: Client, user: Any) -> None:
    for reason in ["first", "second", "third"]:
        api.revoke_user(user, reason=reason)

    assert reasons(admin) == ["third", "second", "first"]


def test_the_list_cannot_be_sorted_otherwise(admin: Client, user: Any) -> None:
    for reason in ["a", "c", "b"]:
        api.revoke_user(user, reason=reason)

    assert reasons(admin, "?o=5") == ["b", "c", "a"]


def test_search_by_a_user_s_name(admin: Client, user: Any) -> None:
    api.revoke_user(user, reason="alice")
    api.revoke_user(make_user("bob"), reason="bob")

    assert reasons(admin, "?q=alice") == ["alice"]


def test_search_by_the_key_of_a_user_who_is_gone(admin: Client, user: Any, phone: Device) -> None:
    key = user.pk
    user.delete()

    assert reasons(admin, f"?q={key}") == ["deleted"]


def test_search_by_a_session_s_id(admin: Client, phone: Device, laptop: Device) -> None:
    api.end_session(phone.session_id, reason="phone")
    api.end_session(laptop.session_id, reason="laptop")

    assert reasons(admin, f"?q={phone.session_id}") == ["phone"]


def test_search_by_a_jti(admin: Client, phone: Device, laptop: Device) -> None:
    api.revoke_token(phone.access, reason="phone")
    api.revoke_token(laptop.access, reason="laptop")
    jti = decode_access(phone.access, key_ring()).jti

    assert reasons(admin, f"?q={jti}") == ["phone"]


def test_no_term_shows_all(admin: Client, user: Any) -> None:
    api.revoke_user(user)

    assert reasons(admin, "?q=+") == ["revoked"]


@pytest.mark.parametrize("term", ["%00", "%22", "%F0%9F%94%91", "x" * 5000])
def test_any_term_is_answered(admin: Client, term: str) -> None:
    assert admin.get(f"{LIST}?q={term}", follow=True).status_code == 200


def test_the_number_of_queries_does_not_depend_on_the_rows(admin: Client) -> None:
    add_entries(1)
    with CaptureQueriesContext(connection) as few:
        reasons(admin)
    add_entries(200)
    with CaptureQueriesContext(connection) as many:
        assert len(reasons(admin)) == 50

    assert len(many) == len(few)


@pytest.mark.parametrize("query", ["", "?q=7", "?p=2", f"?q={UUID(int=7)}"])
def test_every_count_is_bounded(admin: Client, query: str) -> None:
    add_entries(200)
    with CaptureQueriesContext(connection) as queries:
        reasons(admin, query)

    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"].upper()]
    assert len(counts) == 1
    assert "LIMIT 10000" in counts[0]


def test_pages_end_where_the_count_does(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt_revoke.admin.readonly.COUNTED", 100)
    add_entries(200)

    assert len(reasons(admin, "?p=2")) == 50
    assert "e=1" in admin.get(f"{LIST}?p=3").headers["Location"]


@pytest.mark.postgresql
@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's planner")
def test_postgresql_searches_by_the_index(admin: Client) -> None:
    add_entries(5000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jwt_revoke_revocation")
    with CaptureQueriesContext(connection) as queries:
        reasons(admin, "?q=77")

    found = [query["sql"] for query in queries if "jwt_revoke_revocation" in query["sql"]]
    assert found
    for sql in found:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
        assert "jwt_revoke_subject" in plan
        assert "Seq Scan" not in plan


def test_an_entry_can_be_looked_at(admin: Client, user: Any) -> None:
    api.revoke_user(user, reason="lost", note="left on the train")
    entry = Revocation.objects.get()

    page = admin.get(f"{LIST}{entry.pk}/change/").content.decode()

    for shown in ["lost", "left on the train", str(entry.uid)]:
        assert shown in page


def test_notes_are_escaped(admin: Client, user: Any) -> None:
    api.revoke_user(user, note="<script>alert(1)</script>")

    page = admin.get(LIST).content.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("page", ["add/", "{id}/change/", "{id}/delete/"])
def test_not_even_a_superuser_writes(admin: Client, user: Any, page: str) -> None:
    api.revoke_user(user)
    entry = Revocation.objects.get()

    response = admin.post(LIST + page.format(id=entry.pk), {"reason": "other", "post": "yes"})

    assert response.status_code == 403
    assert reasons(admin) == ["revoked"]


def test_there_is_no_action(admin: Client, user: Any) -> None:
    api.revoke_user(user)

    assert 'name="action"' not in admin.get(LIST).content.decode()


def test_staff_need_the_permission_to_look(staff: Callable[..., Client]) -> None:
    client = staff()

    assert client.get(LIST).status_code == 403


def test_staff_with_the_permission_look(staff: Callable[..., Client]) -> None:
    assert staff("jwt_revoke.view_revocation").get(LIST).status_code == 200
