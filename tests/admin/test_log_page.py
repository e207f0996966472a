"""The revocation log in the admin: read-only, and quick however long it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import escape
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
from jwt_revoke.models import DeviceSession, Revocation
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

    for column in range(7):
        assert reasons(admin, f"?o={column}") == ["b", "c", "a"]


def test_search_by_a_user_s_name(admin: Client, user: Any) -> None:
    api.revoke_user(user, reason="alice")
    api.revoke_user(make_user("bob"), reason="bob")

    assert reasons(admin, "?q=alice") == ["alice"]


def test_search_by_the_key_of_a_user_who_is_gone(admin: Client, user: Any, phone: Device) -> None:
    key = user.pk
    user.delete()

    assert reasons(admin, f"?q={key}") == ["deleted"]


def test_search_by_a_user_finds_their_sessions(
    admin: Client, user: Any, phone: Device, laptop: Device
) -> None:
    bob_s = Device(make_user("bob"))
    for device, reason in {phone: "phone", bob_s: "bob"}.items():
        api.end_session(device.session_id, reason=reason)
    api.revoke_user(user, reason="alice")

    assert reasons(admin, "?q=alice") == ["alice", "phone"]
    assert reasons(admin, f"?q={user.pk}") == ["alice", "phone"]


def test_search_finds_the_sessions_that_ended_last(
    admin: Client, phone: Device, laptop: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_revoke.admin.log._SESSIONS", 1)
    for device in [phone, laptop]:
        api.end_session(device.session_id, reason=device.device_session.name)

    assert reasons(admin, "?q=alice") == ["laptop"]


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


@pytest.mark.parametrize("term", ["%00", "%22", "%F0%9F%94%91", "x" * 5000, "9" * 30])
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
def test_the_log_is_read_no_further_than_the_list_counts(admin: Client, query: str) -> None:
    add_entries(200)
    with CaptureQueriesContext(connection) as queries:
        reasons(admin, query)

    ours = [query["sql"] for query in queries if 'FROM "jwt_revoke_rev' in quoted(query["sql"])]
    assert len(ours) <= 2
    assert "LIMIT 10000" in ours[0]
    assert all(" IN (" in sql for sql in ours[1:])


def quoted(sql: str) -> str:
    return sql.replace("`", '"')


def test_a_page_holds_its_own_entries(admin: Client, user: Any) -> None:
    for number in range(120):
        api.revoke_user(user, reason=f"r{number}")

    assert reasons(admin, "?p=2") == [f"r{number}" for number in range(69, 19, -1)]
    assert reasons(admin, "?p=3") == [f"r{number}" for number in range(19, -1, -1)]
    assert len(reasons(admin, "?all=")) == 120


@pytest.mark.parametrize("page", ["0", "-1", "9", "9" * 30])
def test_a_page_that_there_is_not_is_refused_as_django_refuses_it(admin: Client, page: str) -> None:
    add_entries(200)

    assert "e=1" in admin.get(f"{LIST}?p={page}").headers["Location"]


def test_pages_end_where_the_list_does(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt_revoke.admin.log.COUNTED", 100)
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

    found, shown = (sql for sql in statements(queries) if 'FROM "jwt_revoke_revocation"' in sql)
    assert "jwt_revoke_subject" in plan(found)
    assert "Seq Scan" not in plan(found) + plan(shown)


@pytest.mark.postgresql
@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's planner")
def test_postgresql_finds_the_sessions_that_ended_last_by_the_index(
    admin: Client, user: Any
) -> None:
    for owner in [user.pk, 10_000, 10_001]:
        add_ended_sessions(owner, 2000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jwt_revoke_device_session")
    with CaptureQueriesContext(connection) as queries:
        reasons(admin, "?q=alice")

    (found,) = (sql for sql in statements(queries) if 'FROM "jwt_revoke_device' in sql)
    assert "LIMIT 1000" in found
    assert "Index Scan Backward using jwt_revoke_live" in plan(found)


@pytest.mark.mariadb
@pytest.mark.skipif(connection.vendor != "mysql", reason="MariaDB's planner")
def test_mariadb_makes_no_subquery_of_a_thousand_sessions(admin: Client, user: Any) -> None:
    """It would read the whole log for it."""
    add_ended_sessions(user.pk, 1200)
    with CaptureQueriesContext(connection) as queries:
        reasons(admin, "?q=alice")

    (found,) = (sql for sql in statements(queries) if "FROM `jwt_revoke_revocation`" in sql)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {found}")
        assert len(cursor.fetchall()) == 1


def add_ended_sessions(user_id: Any, count: int) -> None:
    now = timezone.now()
    DeviceSession.objects.bulk_create(
        DeviceSession(
            user_id=user_id,
            created_at=now,
            authenticated_at=now,
            last_used_at=now,
            idle_expires_at=now,
            expires_at=now,
            opened_version=1,
            opened_generation=0,
            ended_at=now - timedelta(seconds=number),
        )
        for number in range(count)
    )


def statements(queries: Any) -> list[str]:
    return [query["sql"] for query in queries]


def plan(sql: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        return "\n".join(row[0] for row in cursor.fetchall())


def test_an_entry_can_be_looked_at(admin: Client, user: Any) -> None:
    api.revoke_user(user, reason="lost", note="left on the train")
    entry = Revocation.objects.get()

    page = admin.get(f"{LIST}{entry.pk}/change/").content.decode()

    for shown in ["lost", "left on the train", str(entry.uid)]:
        assert shown in page


def test_an_entry_that_there_is_not_leads_to_the_index(admin: Client) -> None:
    assert admin.get(f"{LIST}7/change/").headers["Location"] == "/admin/"


# --- in words


def cell(page: str, column: str) -> str:
    found = re.search(rf'<td class="field-{column}">(.*?)</td>', page)
    assert found
    return found[1]


def test_a_reason_is_shown_in_words_with_the_slug_at_hand(admin: Client, user: Any) -> None:
    api.revoke_user(user, reason="password_changed")
    entry = Revocation.objects.get()

    assert '<span title="password_changed">Password changed</span>' in shown(admin)
    assert "Password changed (password_changed)" in shown(admin, f"{entry.pk}/change/")


def test_a_reason_of_the_site_s_own_is_shown_as_it_stands(admin: Client, user: Any) -> None:
    api.revoke_user(user, reason="left_the_club")
    entry = Revocation.objects.get()

    assert "left_the_club</span>" in cell(shown(admin), "reason_and_note")
    assert "(left_the_club)" not in shown(admin, f"{entry.pk}/change/")


def test_scope_and_effect_are_shown_in_words(admin: Client, phone: Device) -> None:
    api.revoke_token(phone.access)

    page = shown(admin)

    assert cell(page, "scope_text") == "Access token"
    assert cell(page, "effect_text") == "Access tokens only"


def test_what_is_for_everyone_has_no_subject(admin: Client, db: None) -> None:
    api.revoke_everyone()

    assert cell(shown(admin), "subject_text") == "-"


def test_users_are_shown_by_name(admin: Client, boss: Any, user: Any) -> None:
    api.revoke_user(user, actor=boss)
    entry = Revocation.objects.get()

    page = shown(admin)

    assert cell(page, "subject_text") == f"alice ({user.pk})"
    assert cell(page, "actor_text") == "boss"
    assert f"boss ({boss.pk})" in shown(admin, f"{entry.pk}/change/")


def test_a_user_who_is_gone_is_shown_by_the_key(admin: Client, user: Any) -> None:
    key = user.pk
    api.revoke_user(user, actor=user)
    user.delete()

    page = shown(admin)

    assert cell(page, "subject_text") == f"deleted: {key}"
    assert cell(page, "actor_text") in {str(key), "-"}  # of the deletion nobody is known


@pytest.mark.parametrize("actor", ["nightly-job", "9" * 30, "<b>x</b>"])
def test_an_actor_who_is_no_user_is_shown_as_it_stands(
    admin: Client, user: Any, actor: str
) -> None:
    api.revoke_user(user, actor=actor)

    assert cell(shown(admin), "actor_text") == escape(actor)


def test_nobody_is_a_dash(admin: Client, user: Any) -> None:
    api.revoke_user(user)
    entry = Revocation.objects.get()

    assert cell(shown(admin), "actor_text") == "-"
    assert admin.get(f"{LIST}{entry.pk}/change/").status_code == 200


def test_names_are_escaped(admin: Client) -> None:
    eve = make_user("<script>alert(1)</script>")
    api.revoke_user(eve, actor=eve)

    page = shown(admin)

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in cell(page, "actor_text")


def shown(client: Client, page: str = "") -> str:
    return client.get(LIST + page).content.decode()


def test_notes_are_escaped(admin: Client, user: Any) -> None:
    api.revoke_user(user, note="<script>alert(1)</script>")

    page = admin.get(LIST).content.decode()

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


# --- read-only


@pytest.mark.parametrize("method", ["get", "head", "post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize("page", ["", "add/", "{id}/change/", "{id}/delete/", "{id}/history/"])
def test_not_even_a_superuser_writes(admin: Client, user: Any, page: str, method: str) -> None:
    api.revoke_user(user)
    before = Revocation.objects.values().get()
    data = {
        "reason": "other",
        "post": "yes",
        "action": "delete_selected",
        "_selected_action": str(before["id"]),
    }

    response = getattr(admin, method)(LIST + page.format(id=before["id"]), data)

    if page in {"add/", "{id}/delete/"} or (page == "{id}/change/" and method == "post"):
        assert response.status_code == 403
    assert Revocation.objects.values().get() == before


def test_there_is_no_action(admin: Client, user: Any) -> None:
    api.revoke_user(user)

    assert 'name="action"' not in admin.get(LIST).content.decode()


def test_staff_need_the_permission_to_look(staff: Callable[..., Client]) -> None:
    client = staff()

    assert client.get(LIST).status_code == 403


def test_staff_with_the_permission_look(staff: Callable[..., Client]) -> None:
    assert staff("jwt_revoke.view_revocation").get(LIST).status_code == 200
