"""The sessions in the admin: seen by whoever may, changed by nobody, ended with a permission."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.testing import Device
from tests.admin.conftest import broken_database, browser_of, messages_of
from tests.conftest import make_user
from tests.geoip import LISBON, write_cities

LIST = "/admin/jwt_revoke/devicesession/"
VIEW = "jwt_revoke.view_devicesession"
END = "jwt_revoke.end_devicesession"


def rows(client: Client, query: str = "") -> list[Any]:
    """The sessions that the list shows, in its order."""
    response = client.get(LIST + query)
    assert response.status_code == 200
    return list(response.context["cl"].result_list)


def names(client: Client, query: str = "") -> list[str]:
    return [row.name for row in rows(client, query)]


def add_sessions(user: Any, count: int) -> None:
    now = timezone.now()
    DeviceSession.objects.bulk_create(
        DeviceSession(
            user=user,
            name=f"device-{number}",
            created_at=now - timedelta(seconds=number),
            authenticated_at=now,
            last_used_at=now,
            idle_expires_at=now + timedelta(days=1),
            expires_at=now + timedelta(days=1),
            opened_version=1,
            opened_generation=0,
        )
        for number in range(count)
    )


def delete_unseen(user: Any) -> None:
    """As raw SQL does, past every signal."""
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(get_user_model()._meta.db_table)
        cursor.execute(f"DELETE FROM {table} WHERE id = %s", [user.pk])


# --- the list


def test_the_newest_sign_in_comes_first(admin: Client, phone: Device, laptop: Device) -> None:
    assert names(admin) == ["laptop", "phone"]


@pytest.mark.parametrize("column", range(1, 7))
def test_the_list_cannot_be_sorted_by_a_column_without_an_index(
    admin: Client, phone: Device, column: int
) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        rows(admin, f"?o={column}")

    ordered = [query["sql"] for query in queries if "ORDER BY" in query["sql"]]
    assert all(
        "created_at" in sql.partition("ORDER BY")[2]
        for sql in ordered
        if "jwt_revoke_device_session" in sql
    )


def test_the_list_tells_a_live_session_from_one_that_ended(
    admin: Client, phone: Device, laptop: Device
) -> None:
    api.end_session(phone.session_id)

    page = admin.get(LIST).content.decode()

    assert '<td class="field-state">live</td>' in page
    assert '<td class="field-state">Logged out</td>' in page


def test_a_session_that_ended_by_itself_is_over(admin: Client, phone: Device) -> None:
    DeviceSession.objects.update(idle_expires_at=timezone.now() - timedelta(days=1))

    assert '<td class="field-state">over</td>' in admin.get(LIST).content.decode()


def test_after_everyone_was_logged_out_no_session_is_shown_as_live(
    admin: Client, phone: Device
) -> None:
    api.revoke_everyone()

    assert '<td class="field-state">over</td>' in admin.get(LIST).content.decode()


def test_a_session_whose_user_was_deleted_unseen_is_shown(
    admin: Client, user: Any, phone: Device
) -> None:
    delete_unseen(user)

    page = admin.get(LIST).content.decode()

    assert f'<td class="field-account">deleted: {user.pk}</td>' in page
    assert '<td class="field-state">over</td>' in page


def test_names_are_escaped(admin: Client) -> None:
    Device(make_user("<b>eve</b>"), "<script>alert(1)</script>")

    page = admin.get(LIST).content.decode()

    assert "&lt;b&gt;eve&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


def test_a_place_is_shown_beside_the_address_where_the_site_has_geoip(
    admin: Client, user: Any, settings: Any, tmp_path: Path
) -> None:
    tablet = Device(user, "tablet", REMOTE_ADDR=LISBON)
    page = f"{LIST}{tablet.session_id}/change/"
    assert "column-place" not in admin.get(LIST).content.decode()
    assert "field-place" not in admin.get(page).content.decode()

    settings.GEOIP_PATH = write_cities(tmp_path)

    shown = admin.get(LIST).content.decode()
    assert shown.index("column-ip_address") < shown.index("column-place")
    assert '<td class="field-place">Lisbon, Portugal</td>' in shown
    assert "Lisbon, Portugal" in admin.get(page).content.decode()


# --- what it costs


def test_the_number_of_queries_does_not_depend_on_the_rows(
    admin: Client, user: Any, phone: Device
) -> None:
    with CaptureQueriesContext(connection) as few:
        rows(admin)
    add_sessions(user, 200)
    with CaptureQueriesContext(connection) as many:
        assert len(rows(admin)) == 50

    # With one page nothing is asked for but its rows; beyond that they are limited.
    assert len(many) == len(few)


@pytest.mark.parametrize("query", ["", "?q=alice", "?p=2", f"?q={UUID(int=7)}"])
def test_every_count_is_bounded(admin: Client, user: Any, query: str) -> None:
    add_sessions(user, 200)
    with CaptureQueriesContext(connection) as queries:
        rows(admin, query)

    counts = [query["sql"] for query in queries if "COUNT(" in query["sql"].upper()]
    assert len(counts) == 1
    assert "LIMIT 10000" in counts[0]


def test_the_list_is_not_joined(admin: Client, user: Any) -> None:
    add_sessions(user, 200)
    with CaptureQueriesContext(connection) as queries:
        rows(admin)

    ours = [query["sql"] for query in queries if "jwt_revoke_device_session" in query["sql"]]
    assert ours
    assert not any("JOIN" in sql for sql in ours)


@pytest.mark.postgresql
@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's planner")
def test_postgresql_reads_a_page_by_the_index(user: Any) -> None:
    add_sessions(user, 5000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jwt_revoke_device_session")

    plan = DeviceSession.objects.order_by("-created_at", "-pk")[:50].explain()

    assert "Index Scan Backward" in plan
    assert "Seq Scan" not in plan


# --- search


@pytest.fixture
def bob_s_tablet(db: None) -> Device:
    return Device(make_user("bob"), "tablet")


def test_search_by_a_user_s_exact_name(
    admin: Client, phone: Device, laptop: Device, bob_s_tablet: Device
) -> None:
    assert names(admin, "?q=alice") == ["laptop", "phone"]


def test_search_by_a_part_of_a_name_finds_nothing(admin: Client, phone: Device) -> None:
    assert names(admin, "?q=alic") == []


def test_search_by_a_session_s_id(admin: Client, phone: Device, laptop: Device) -> None:
    assert names(admin, f"?q={phone.session_id}") == ["phone"]


def test_search_by_a_name_that_looks_like_an_id(admin: Client) -> None:
    person = make_user(str(uuid4()))
    Device(person, "odd")

    assert names(admin, f"?q={person.username}") == ["odd"]


def test_search_where_names_are_numbers(
    admin: Client, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = get_user_model()
    monkeypatch.setattr(model, "USERNAME_FIELD", "id")
    monkeypatch.setattr(model, "__str__", lambda self: str(self.pk))

    assert names(admin, f"?q={phone.device_session.user_id}") == ["phone"]
    assert names(admin, "?q=alice") == []


def test_blanks_around_the_term_do_not_matter(admin: Client, phone: Device) -> None:
    assert names(admin, "?q=+alice+") == ["phone"]


@pytest.mark.parametrize("term", ["%00", "%22", "'", "%F0%9F%94%91", "x" * 5000, "+"])
def test_any_term_is_answered(admin: Client, phone: Device, term: str) -> None:
    assert admin.get(f"{LIST}?q={term}", follow=True).status_code == 200


# --- one session


def test_a_session_can_be_looked_at(admin: Client, user: Any, phone: Device) -> None:
    page = admin.get(f"{LIST}{phone.session_id}/change/").content.decode()

    for shown in [str(phone.session_id), "alice", "phone", "Phone/1", "live"]:
        assert shown in page


def test_a_session_without_its_user_can_be_looked_at(
    admin: Client, user: Any, phone: Device
) -> None:
    delete_unseen(user)

    response = admin.get(f"{LIST}{phone.session_id}/change/")

    assert response.status_code == 200
    assert f"deleted: {user.pk}" in response.content.decode()


@pytest.mark.parametrize("key", [uuid4(), "junk"])
def test_a_session_that_there_is_not_leads_to_the_index(admin: Client, key: Any) -> None:
    response = admin.get(f"{LIST}{key}/change/")

    assert (response.status_code, response.headers["Location"]) == (302, "/admin/")


# --- read-only


@pytest.mark.parametrize("page", ["add/", "{id}/change/", "{id}/delete/"])
def test_not_even_a_superuser_writes(admin: Client, phone: Device, page: str) -> None:
    response = admin.post(LIST + page.format(id=phone.session_id), {"name": "other", "post": "yes"})

    assert response.status_code == 403
    assert phone.device_session.name == "phone"


def test_no_page_to_add_or_to_delete(admin: Client, phone: Device) -> None:
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.get(f"{LIST}{phone.session_id}/delete/").status_code == 403


def test_there_is_no_action_to_delete(admin: Client, phone: Device) -> None:
    assert "delete_selected" not in admin.get(LIST).content.decode()


# --- ending


def end(client: Client, *devices: Device, **more: Any) -> Any:
    data = {
        "action": "end_sessions",
        "_selected_action": [str(device.session_id) for device in devices],
        "index": "0",
    }
    return client.post(LIST, data | more, follow=True)


def test_the_selected_sessions_end(admin: Client, phone: Device, laptop: Device) -> None:
    end(admin, phone)

    assert [phone.standing, laptop.standing] == ["revoked", "live"]


def test_the_log_names_the_admin(admin: Client, boss: Any, phone: Device, laptop: Device) -> None:
    end(admin, phone, laptop)

    entries = Revocation.objects.filter(scope="session")
    assert {entry.subject for entry in entries} == {str(phone.session_id), str(laptop.session_id)}
    assert {(entry.reason, entry.actor) for entry in entries} == {("ended_by_admin", str(boss.pk))}


def test_the_admin_s_history_has_an_entry_for_each(
    admin: Client, phone: Device, laptop: Device
) -> None:
    end(admin, phone, laptop)

    assert {entry.object_id for entry in LogEntry.objects.all()} == {
        str(phone.session_id),
        str(laptop.session_id),
    }


def test_the_history_is_written_a_page_at_a_time(
    admin: Client, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_revoke.admin.readonly.PAGE", 2)
    devices = [Device(user) for _ in range(5)]
    end(admin, *devices)

    noted = sorted(entry.object_id for entry in LogEntry.objects.all())
    assert noted == sorted(str(device.session_id) for device in devices)


def test_it_is_said_how_many_ended(admin: Client, phone: Device, laptop: Device) -> None:
    api.end_session(laptop.session_id)

    assert messages_of(end(admin, phone, laptop)) == ["1 session is ended."]


def test_all_sessions_of_a_user_can_be_ended_by_search(
    admin: Client, phone: Device, laptop: Device, bob_s_tablet: Device
) -> None:
    data = {
        "action": "end_sessions",
        "_selected_action": [str(phone.session_id)],
        "select_across": "1",
        "index": "0",
    }

    admin.post(f"{LIST}?q=alice", data)

    assert [phone.standing, laptop.standing] == ["revoked", "revoked"]
    assert bob_s_tablet.standing == "live"


@pytest.mark.django_db(transaction=True)
def test_while_the_database_does_not_answer_nothing_ends_and_it_is_said(
    admin: Client, phone: Device
) -> None:
    with broken_database():
        response = end(admin, phone)

    assert messages_of(response) == ["The database did not answer. Nothing was done: try again."]
    assert phone.standing == "live"


# --- who may


def test_looking_is_not_ending(staff: Callable[..., Client], phone: Device) -> None:
    client = staff(VIEW)
    assert "end_sessions" not in client.get(LIST).content.decode()

    end(client, phone)

    assert phone.standing == "live"


def test_whoever_may_look_and_end_ends(staff: Callable[..., Client], phone: Device) -> None:
    end(staff(VIEW, END), phone)

    assert phone.standing == "revoked"


@pytest.mark.parametrize("permissions", [(), (END,)])
def test_whoever_may_not_look_is_refused(
    staff: Callable[..., Client], phone: Device, permissions: tuple[str, ...]
) -> None:
    client = staff(*permissions)

    assert client.get(LIST).status_code == 403
    assert client.get(f"{LIST}{phone.session_id}/change/").status_code == 403
    assert end(client, phone).status_code == 403
    assert phone.standing == "live"


def test_ending_without_the_csrf_token_is_refused(boss: Any, phone: Device) -> None:
    response = end(browser_of(boss, enforce_csrf_checks=True), phone)

    assert response.status_code == 403
    assert phone.standing == "live"


def test_select_all_of_more_than_the_list_counts_ends_nothing(
    admin: Client, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody has seen counted is not ended by one click."""
    monkeypatch.setattr("jwt_revoke.admin.sessions.COUNTED", 2)
    devices = [Device(user) for _ in range(3)]
    chosen = {"_selected_action": [devices[0].session_id], "select_across": "1"}
    answer = admin.post(LIST, {"action": "end_sessions", **chosen}, follow=True)
    assert "Search for fewer" in answer.content.decode()
    assert {device.standing for device in devices} == {"live"}


def test_the_history_names_only_what_was_ended_now(
    admin: Client, phone: Device, laptop: Device
) -> None:
    api.end_session(phone.session_id)
    chosen = {"_selected_action": [phone.session_id, laptop.session_id]}
    admin.post(LIST, {"action": "end_sessions", **chosen})
    assert [entry.object_id for entry in LogEntry.objects.all()] == [str(laptop.session_id)]
