"""The revocation log as a file: what the list shows, all of it, and nothing that is half of it."""

from __future__ import annotations

import csv
import datetime
import io
import json
import logging
import re
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import DatabaseError, OperationalError, connection, connections
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from jwt_revoke import api
from jwt_revoke.admin.log_export import FIELDS, _text
from jwt_revoke.models import Revocation
from tests.admin.conftest import browser_of
from tests.conftest import make_user

pytestmark = pytest.mark.once

LIST = "/admin/jwt_revoke/revocation/"
CSV, JSONL = f"{LIST}export/csv/", f"{LIST}export/jsonl/"
VIEW = "jwt_revoke.view_revocation"
MOMENT = datetime.datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)


def add(**fields: Any) -> Revocation:
    values = {
        "scope": "user",
        "subject": "7",
        "effect": "session",
        "reason": "logout_all",
        "created_at": MOMENT,
        "expires_at": MOMENT + datetime.timedelta(minutes=5),
    }
    return Revocation.objects.create(**values | fields)


def text(client: Client, url: str, **query: str) -> str:
    response = client.get(url, query)
    assert response.status_code == 200
    return response.getvalue().decode()


def objects(client: Client, **query: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text(client, JSONL, **query).split("\n")[:-1]]


def rows(client: Client, **query: str) -> list[dict[str, str]]:
    content = text(client, CSV, **query).removeprefix("\ufeff")
    return list(csv.DictReader(io.StringIO(content, newline="")))


def pages_of(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("jwt_revoke.admin.log_export.PAGE", size)


# --- what is in it


def test_json_lines_hold_the_exact_values(admin: Client) -> None:
    entry = add(
        version=2**53 + 1, actor="1", note="=1+1 Zoë 🔑", batch=uuid4(), sequence=5, subject="x"
    )

    (line,) = objects(admin)

    assert line == {
        "uid": str(entry.uid),
        "created_at": "2026-02-03T04:05:06.000007Z",
        "scope": "user",
        "subject": "x",
        "effect": "session",
        "version": 2**53 + 1,
        "reason": "logout_all",
        "actor": "1",
        "note": "=1+1 Zoë 🔑",
        "batch": str(entry.batch),
        "sequence": 5,
        "expires_at": "2026-02-03T04:10:06.000007Z",
    }
    assert "Zoë 🔑" in text(admin, JSONL)


def test_csv_holds_the_same_under_the_same_names(admin: Client) -> None:
    entry = add(note='"quoted", and\nbroken')

    (row,) = rows(admin)

    assert list(row) == list(FIELDS)
    assert row["uid"] == str(entry.uid)
    assert row["created_at"] == "2026-02-03T04:05:06.000007Z"
    assert row["note"] == '"quoted", and\nbroken'
    assert (row["version"], row["batch"], row["sequence"]) == ("", "", "")


def test_csv_begins_with_the_mark_that_excel_needs(admin: Client) -> None:
    assert text(admin, CSV).startswith("\ufeffuid,")
    assert not text(admin, JSONL)


@pytest.mark.parametrize(
    "first", ["=", "+", "-", "@", "\t", "\r", "\n", *"\uff1d\uff0b\uff0d\uff20"]
)
@pytest.mark.parametrize("field", ["note", "actor", "subject", "reason"])
def test_a_spreadsheet_calculates_nothing(admin: Client, field: str, first: str) -> None:
    add(**{field: f"{first}1+1"})

    (row,) = rows(admin)

    assert row[field] == f"'{first}1+1"


def test_other_text_is_not_touched(admin: Client) -> None:
    add(note="a = b", version=-1)

    (row,) = rows(admin)

    assert (row["note"], row["version"]) == ("a = b", "-1")


@pytest.mark.parametrize("end", ["\n", "\r", "\x85", "\u2028", "\u2029", "\x0b", "\x1c"])
def test_no_note_makes_a_line_of_its_own(admin: Client, end: str) -> None:
    """Some readers take more for the end of a line than JSON escapes."""
    add(note=f'{end}{{"uid": "forged"}}')

    (line,) = text(admin, JSONL).splitlines()

    assert json.loads(line)["note"] == f'{end}{{"uid": "forged"}}'


def test_times_without_a_zone_are_those_of_the_site(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"

    assert _text(datetime.datetime.fromisoformat("2026-02-03T04:05:06")) == (
        "2026-02-02T19:05:06.000000Z"
    )


def test_names_of_fields_are_not_translated(admin: Client) -> None:
    with translation.override("de"):
        add()
        (row,) = rows(admin)

    assert list(row) == list(FIELDS)


# --- which entries


def test_the_newest_comes_first(admin: Client) -> None:
    for note in ["first", "second"]:
        add(note=note)

    assert [line["note"] for line in objects(admin)] == ["second", "first"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_no_entry_is_missing_or_there_twice_whatever_the_pages(
    admin: Client, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    for number in range(7):
        add(note=str(number))
    pages_of(monkeypatch, size)

    assert [row["note"] for row in rows(admin)] == list("6543210")


@pytest.mark.parametrize(
    "query",
    [
        {"reason": "other"},
        {"actor": "alice"},
        {"q": "bob"},
        {"since": "2026-02-04"},
        {"q": "bob", "reason": "other", "actor": "-", "scope": "user"},
    ],
)
def test_it_is_what_the_list_shows(admin: Client, user: Any, query: dict[str, str]) -> None:
    bob = make_user("bob")
    for number in range(12):
        add(
            note=str(number),
            reason=["other", "logout_all"][number % 2],
            actor=["", str(user.pk)][number // 2 % 2],
            subject=[str(bob.pk), "x"][number // 4 % 2],
            created_at=MOMENT + datetime.timedelta(days=number // 6),
        )

    shown = [entry.note for entry in admin.get(LIST, query).context["cl"].result_list]

    assert 0 < len(shown) < 12
    assert [line["note"] for line in objects(admin, **query)] == shown


def test_it_goes_on_beyond_what_the_list_counts(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_revoke.admin.log.COUNTED", 3)
    for _ in range(9):
        add()

    assert len(rows(admin)) == 9


def test_the_links_on_the_list_keep_its_filters(admin: Client) -> None:
    page = admin.get(f"{LIST}?q=a+b&reason=logout&p=1").content.decode()

    links = re.findall(r'href="([^"]*/export/[^"]*)"', page)

    assert links == [f"{url}?q=a+b&amp;reason=logout" for url in (CSV, JSONL)]


@pytest.mark.parametrize("query", ["actor=%00", "time=1y", "since=x", "batch=x"])
def test_a_filter_that_is_none_exports_nothing(admin: Client, query: str) -> None:
    response = admin.get(f"{CSV}?{query}")

    assert (response.status_code, response.headers["Location"]) == (302, f"{LIST}?e=1")


def test_a_lookup_that_is_none_exports_nothing(admin: Client) -> None:
    assert admin.get(f"{CSV}?note__regex=x").status_code == 400


# --- the answer


@pytest.mark.parametrize(
    ("url", "name", "content_type"),
    [
        (CSV, "csv", "text/csv; charset=utf-8"),
        (JSONL, "jsonl", "application/jsonl; charset=utf-8"),
    ],
)
def test_it_is_a_download_that_nobody_keeps(
    admin: Client, url: str, name: str, content_type: str
) -> None:
    headers = admin.get(url).headers

    today = timezone.now().date()
    assert headers["Content-Disposition"] == f'attachment; filename="revocations-{today}.{name}"'
    assert headers["Content-Type"] == content_type
    assert "no-store" in headers["Cache-Control"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("method", ["head", "post", "put", "patch", "delete", "options"])
def test_only_a_get_is_answered(admin: Client, method: str) -> None:
    response = getattr(admin, method)(CSV)

    assert (response.status_code, response.headers["Allow"]) == (405, "GET")


def test_it_writes_nothing(admin: Client) -> None:
    """Invariant 7."""
    add()
    with CaptureQueriesContext(connection) as queries:
        rows(admin)

    assert all(query["sql"].startswith("SELECT") for query in queries)


# --- who may


@pytest.mark.parametrize("url", [CSV, JSONL])
def test_staff_need_the_permission_to_look(staff: Callable[..., Client], url: str) -> None:
    assert staff("jwt_revoke.revoke_tokens").get(url).status_code == 403


def test_the_permission_comes_before_the_method(staff: Callable[..., Client]) -> None:
    assert staff().post(CSV).status_code == 403


def test_staff_with_the_permission_export(staff: Callable[..., Client]) -> None:
    add(note="seen")

    assert "seen" in [row["note"] for row in rows(staff(VIEW))]


def test_others_log_in_first(user: Any, db: None) -> None:
    for client in [Client(), browser_of(user)]:
        response = client.get(CSV)
        assert response.status_code == 302
        assert response.headers["Location"] == f"/admin/login/?next={CSV}"


def test_it_is_noted_who_exports_what(
    admin: Client, boss: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "jwt_revoke"):
        text(admin, CSV, reason="logout", q="alice\nforged")

    assert caplog.messages == [
        f"Revocations exported: actor={boss.pk} format=csv filter=reason=logout&q=alice%0Aforged"
    ]


@pytest.mark.leaks("a search is in the address of the page", "URL")
def test_a_token_pasted_into_the_search_is_not_noted(
    admin: Client, phone: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Invariant 9."""
    for token in (phone.access, phone.refresh_token):
        with caplog.at_level(logging.INFO, "jwt_revoke"):
            text(admin, CSV, q=token)
        assert caplog.messages[-1].endswith("filter=q=...")


# --- while it is sent


@contextmanager
def breaking(after: int) -> Iterator[None]:
    """The database stops answering once it has answered so many pages of an export."""
    answered = 0

    def execute(do: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal answered
        if "jwt_revoke_revocation" in sql and "expires_at" in sql:
            answered += 1
            if answered > after:
                raise OperationalError("server closed the connection: secret parameter")
        return do(sql, params, many, context)

    with connection.execute_wrapper(execute):
        yield


def broken(client: Client, url: str, after: int) -> str:
    """What has been sent when the export breaks off; asserts that it does."""
    chunks = client.get(url).streaming_content
    sent = io.BytesIO()
    with breaking(after), pytest.raises(DatabaseError):
        sent.writelines(chunks)
    return sent.getvalue().decode()


@pytest.mark.parametrize("after", [0, 1, 2])
def test_what_breaks_off_is_not_taken_for_the_whole(
    admin: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, after: int
) -> None:
    """The server must be told, and the file itself say it where the server can't."""
    for _ in range(6):
        add()
    pages_of(monkeypatch, 2)

    *lines, last = broken(admin, JSONL, after).splitlines()
    assert len(lines) == 2 * after
    assert json.loads(last) == {"incomplete": "The database did not answer: entries are missing."}
    _header, *lines, last = broken(admin, CSV, after).splitlines()
    assert len(lines) == 2 * after
    assert last == "The database did not answer: entries are missing."
    assert "An export of revocations broke off: database: OperationalError" in caplog.messages
    assert "secret" not in caplog.text


def test_a_page_is_read_only_when_it_is_asked_for(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(6):
        add()
    pages_of(monkeypatch, 2)
    response = admin.get(JSONL)
    chunks = iter(response.streaming_content)

    with CaptureQueriesContext(connection) as queries:
        next(chunks)

    assert len(queries) == 1
    assert "LIMIT 2" in queries[0]["sql"]
    assert len(list(chunks)) == 2


def test_what_is_revoked_meanwhile_shifts_nothing(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        add(note=str(number))
    pages_of(monkeypatch, 2)
    chunks = iter(admin.get(JSONL).streaming_content)

    sent = next(chunks)
    add(note="meanwhile")
    sent += b"".join(chunks)

    assert [json.loads(line)["note"] for line in sent.splitlines()] == ["3", "2", "1", "0"]


def test_it_takes_the_memory_of_a_page(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    Revocation.objects.bulk_create(
        Revocation(
            scope="user",
            subject=str(number),
            effect="session",
            reason="logout_all",
            note="n" * 250,
            created_at=now,
            expires_at=now,
        )
        for number in range(3000)
    )
    pages_of(monkeypatch, 100)
    response = admin.get(CSV)

    tracemalloc.start()
    try:
        size = sum(map(len, response.streaming_content))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert size > 1_000_000
    assert peak < size / 2


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", [CSV, JSONL])
async def test_an_asynchronous_server_sends_page_after_page(
    boss: Any, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """A warning of Django's, that it would read all of it first, fails this test."""
    from asgiref.sync import sync_to_async

    for number in range(5):
        await sync_to_async(add)(note=f"entry {number}")
    pages_of(monkeypatch, 2)
    client = AsyncClient()
    await client.aforce_login(boss)

    response = await client.get(url)
    chunks = [chunk async for chunk in response.streaming_content]
    # Another thread's connections, which would keep the database from being dropped.
    await sync_to_async(connections.close_all)()

    assert len(chunks) == 3 + (url == CSV)
    assert re.findall(r"entry \d", b"".join(chunks).decode()) == [
        f"entry {number}" for number in range(4, -1, -1)
    ]


def test_the_uid_is_not_the_key(admin: Client) -> None:
    entry = add()

    (line,) = objects(admin)

    assert UUID(line["uid"]) == entry.uid
    assert "id" not in line


def test_the_log_itself_is_what_the_api_wrote(admin: Client, user: Any) -> None:
    api.revoke_user(user, reason="device_lost", note="left on the train")

    (line,) = objects(admin, q="alice")

    assert (line["reason"], line["note"]) == ("device_lost", "left on the train")
