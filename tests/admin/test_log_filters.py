"""The filters of the revocation log: what each shows, what none of them asks of the database."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from html import escape
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.admin.log_filters import _start
from jwt_revoke.models import Revocation
from jwt_revoke.testing import Device
from tests.conftest import make_user

LIST = "/admin/jwt_revoke/revocation/"
NOW = datetime.datetime(2026, 6, 15, 12, tzinfo=datetime.UTC)


def notes(client: Client, **query: str) -> list[str]:
    """The notes of the entries that the list shows, which tests tell them apart by."""
    response = client.get(LIST, query)
    assert response.status_code == 200, response.headers
    return [entry.note for entry in response.context["cl"].result_list]


def selected(client: Client, title: str, **query: str) -> list[str]:
    """The choices of a filter that are shown as chosen."""
    changelist = client.get(LIST, query).context["cl"]
    (spec,) = [spec for spec in changelist.filter_specs if spec.title == title]
    return [str(choice["display"]) for choice in spec.choices(changelist) if choice["selected"]]


def add(note: str, **fields: Any) -> Revocation:
    moment = fields.setdefault("created_at", timezone.now())
    values = {"scope": "user", "subject": "1", "effect": "session", "reason": "logout_all"}
    return Revocation.objects.create(
        **values | fields, note=note, expires_at=moment + datetime.timedelta(minutes=5)
    )


@pytest.fixture
def mixed(db: None) -> None:
    """One entry that each filter finds, and one that none does."""
    add("reason", reason="role_changed")
    add("own reason", reason="left_the_club")
    add("scope", scope="everyone", subject="")
    add("effect", effect="access")
    add("plain")


# --- the words of the log


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"reason": "role_changed"}, ["reason"]),
        ({"reason": "left_the_club"}, ["own reason"]),
        ({"scope": "everyone"}, ["scope"]),
        ({"effect": "access"}, ["effect"]),
        ({"reason": "deleted"}, []),
        ({"reason": "role_changed", "effect": "access"}, []),
        ({"reason": "logout_all", "scope": "user", "effect": "access"}, ["effect"]),
    ],
)
def test_what_a_filter_shows(
    admin: Client, mixed: None, query: dict[str, str], found: list[str]
) -> None:
    assert notes(admin, **query) == found


@pytest.mark.parametrize("name", ["reason", "scope", "effect", "actor", "time", "since", "until"])
def test_an_empty_value_as_forms_send_it_filters_nothing(
    admin: Client, mixed: None, name: str
) -> None:
    assert len(notes(admin, **{name: ""})) == 5


def test_a_filter_and_a_search_go_together(admin: Client, user: Any) -> None:
    api.revoke_user(user, reason="logout_all", note="both")
    api.revoke_user(user, reason="other", note="search alone")
    api.revoke_user(make_user("bob"), reason="logout_all", note="filter alone")

    assert notes(admin, q="alice", reason="logout_all") == ["both"]


def test_reasons_are_offered_in_words_and_one_of_the_site_s_own_as_it_stands(
    admin: Client, mixed: None
) -> None:
    assert selected(admin, "reason", reason="role_changed") == ["Role changed"]
    assert selected(admin, "reason", reason="left_the_club") == ["left_the_club"]
    assert selected(admin, "reason") == ["All"]


def test_nothing_is_asked_of_the_log_to_offer_the_choices(admin: Client, mixed: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        notes(admin)

    assert not any("DISTINCT" in query["sql"] for query in queries)


def test_choices_are_not_counted(admin: Client, mixed: None) -> None:
    """One count over the whole log for each of them."""
    with CaptureQueriesContext(connection) as queries:
        page = admin.get(f"{LIST}?_facets=True").content.decode()

    assert not any("COUNT(" in query["sql"].upper() for query in queries)
    assert "Show counts" not in page


# --- by whom


@pytest.fixture
def acted(user: Any, boss: Any) -> None:
    """Entries of four actors."""
    api.revoke_user(user, actor=boss, note="boss")
    api.revoke_user(user, actor=user, note="alice")
    api.revoke_user(user, actor="nightly-job", note="job")
    add("nobody")


@pytest.mark.parametrize(
    ("who", "found"),
    [("-", ["nobody"]), ("alice", ["alice"]), ("nightly-job", ["job"]), ("nobody-like-that", [])],
)
def test_an_actor_is_found(admin: Client, acted: None, who: str, found: list[str]) -> None:
    assert notes(admin, actor=who) == found


def test_an_actor_is_found_by_the_key(admin: Client, user: Any, acted: None) -> None:
    assert notes(admin, actor=str(user.pk)) == ["alice"]


def test_me_is_whoever_looks(admin: Client, boss: Any, acted: None) -> None:
    assert notes(admin, actor=str(boss.pk)) == ["boss"]
    assert selected(admin, "actor", actor=str(boss.pk)) == ["Me"]


def test_who_was_typed_in_stands_in_the_field_and_among_the_choices(
    admin: Client, acted: None
) -> None:
    page = admin.get(f"{LIST}?actor=alice").content.decode()

    assert re.search(r'name="actor" value="alice"', page)
    assert selected(admin, "actor", actor="alice") == ["alice"]


@pytest.mark.parametrize("who", ["", "-"])
def test_a_choice_does_not_stand_in_the_field(admin: Client, acted: None, who: str) -> None:
    assert re.search(r'name="actor" value=""', admin.get(f"{LIST}?actor={who}").content.decode())


# --- when


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt_revoke.admin.log_filters.timezone.now", lambda: NOW)


@pytest.mark.parametrize(
    ("period", "hours"),
    [("1h", 1), ("24h", 24), ("7d", 7 * 24), ("30d", 30 * 24), ("90d", 90 * 24)],
)
def test_a_period_ends_now(admin: Client, clock: None, period: str, hours: int) -> None:
    edge = NOW - datetime.timedelta(hours=hours)
    add("before", created_at=edge - datetime.timedelta(microseconds=1))
    add("within", created_at=edge)

    assert notes(admin, time=period) == ["within"]


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("UTC", "2026-03-29T00:00", "2026-03-30T00:00"),
        # The day on which the clocks go forward: it has 23 hours there.
        ("Europe/Berlin", "2026-03-28T23:00", "2026-03-29T22:00"),
        ("America/Los_Angeles", "2026-03-29T07:00", "2026-03-30T07:00"),
    ],
)
def test_days_are_whole_ones_in_the_viewer_s_time_zone(
    admin: Client, settings: Any, zone: str, first: str, last: str
) -> None:
    settings.TIME_ZONE = zone
    start, end = (
        datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC) for text in (first, last)
    )
    instant = datetime.timedelta(microseconds=1)
    for note, moment in {
        "before": start - instant,
        "first": start,
        "last": end - instant,
        "after": end,
    }.items():
        add(note, created_at=moment)

    assert notes(admin, since="2026-03-29", until="2026-03-29") == ["last", "first"]
    assert notes(admin, since="2026-03-29") == ["after", "last", "first"]
    assert notes(admin, until="2026-03-29") == ["last", "first", "before"]


@pytest.mark.once
def test_days_are_local_ones_where_times_have_no_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not the setting itself: that is told to every connection.
    monkeypatch.setattr("jwt_revoke.admin.log_filters.settings", SimpleNamespace(USE_TZ=False))

    assert _start(datetime.date(2026, 3, 29)).isoformat() == "2026-03-29T00:00:00"


def test_chosen_days_are_chosen_and_stand_in_their_fields(admin: Client, mixed: None) -> None:
    page = admin.get(f"{LIST}?since=2026-01-02").content.decode()

    assert re.search(r'name="since" value="2026-01-02"', page)
    assert selected(admin, "time", since="2026-01-02") == ["Chosen days"]
    assert selected(admin, "time", until="2026-01-02") == ["Chosen days"]
    assert selected(admin, "time", time="7d") == ["Past 7 days"]
    assert selected(admin, "time") == ["All"]


def test_a_period_takes_the_place_of_days_and_keeps_the_rest(admin: Client, mixed: None) -> None:
    changelist = admin.get(f"{LIST}?since=2026-01-02&until=2026-01-03&scope=user").context["cl"]
    (spec,) = [spec for spec in changelist.filter_specs if spec.title == "time"]

    links = [choice["query_string"] for choice in spec.choices(changelist)]

    assert links[:2] == ["?scope=user", "?scope=user&time=1h"]


def test_a_range_of_days_that_ends_before_it_begins_is_empty(admin: Client, mixed: None) -> None:
    assert notes(admin, since="2026-02-02", until="2026-02-01") == []


# --- the fields' forms


def form(page: str, name: str) -> str:
    found = re.search(
        rf'<form method="get" id="jwt-revoke-by-{name}">(.*?)</form>', page, re.DOTALL
    )
    assert found
    return found[1]


@pytest.mark.once
@pytest.mark.parametrize(
    ("name", "replaced"), [("actor", {"actor"}), ("time", {"time", "since", "until"})]
)
def test_a_field_keeps_every_other_parameter(admin: Client, name: str, replaced: set[str]) -> None:
    query = {
        "q": "x",
        "reason": "a",
        "actor": "b",
        "scope": "c",
        "time": "7d",
        "since": "2026-01-02",
    }

    page = admin.get(LIST, {**query, "p": "1"}).content.decode()

    kept = dict(re.findall(r'type="hidden" name="(.*?)" value="(.*?)"', form(page, name)))
    assert kept == {key: value for key, value in query.items() if key not in replaced}


@pytest.mark.once
def test_no_form_stands_within_the_filters(admin: Client) -> None:
    """A theme may have one around them; the parser would lose ours, and end theirs."""
    page = admin.get(LIST).content.decode()

    filters = re.search(r'<(nav|search) id="changelist-filter".*?</\1>', page, re.DOTALL)
    assert filters
    assert 'name="actor"' in filters[0]
    assert "<form" not in filters[0]


# --- hostile addresses


@pytest.mark.once
@pytest.mark.parametrize("name", ["reason", "scope", "effect", "actor", "time", "since", "until"])
@pytest.mark.parametrize(
    "value", ["\0", "x\0y", "x" * 256, "9" * 5000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_what_no_column_holds_is_refused_as_django_refuses_it(
    admin: Client, name: str, value: Any
) -> None:
    response = admin.get(f"{LIST}?{urlencode({name: value})}")

    if response.status_code == 302:
        assert response.headers["Location"].endswith("?e=1")
    else:  # a character that was replaced is a value like any other
        assert response.status_code == 200
        assert value == "\ud800".encode("utf-8", "surrogatepass")


@pytest.mark.once
@pytest.mark.parametrize(
    "query",
    [
        *("time=1y", "time=-1h", "since=yesterday", "since=2026-02-30", "since=0001-01-01"),
        *("until=9999-12-31", "until=2026-13-01", "since=2026-01-01T00:00:00", "batch=junk"),
    ],
)
def test_a_value_that_is_none_of_them_is_refused_as_django_refuses_it(
    admin: Client, query: str
) -> None:
    response = admin.get(f"{LIST}?{query}")

    assert (response.status_code, response.headers["Location"]) == (302, f"{LIST}?e=1")


@pytest.mark.once
@pytest.mark.parametrize("actor", ["9" * 30, "' OR 1=1 --", "%", "🔑"])
def test_any_actor_is_answered(admin: Client, acted: None, actor: str) -> None:
    assert notes(admin, actor=actor) == []


@pytest.mark.once
@pytest.mark.parametrize(
    "lookup", ["note__regex", "note__icontains", "subject__contains", "reason__in", "id__gt", "foo"]
)
def test_the_log_is_searched_in_no_other_way(admin: Client, lookup: str) -> None:
    """Django would let an address search any column by any lookup, by a regular expression too."""
    assert admin.get(f"{LIST}?{lookup}=(a%2B)%2B$").status_code == 400


@pytest.mark.once
@pytest.mark.parametrize("name", ["reason", "scope", "effect", "actor"])
def test_a_value_is_escaped(admin: Client, name: str) -> None:
    hostile = '"><script>alert(1)</script>'

    page = admin.get(LIST, {name: hostile}).content.decode()

    assert "<script>alert" not in page
    assert escape(hostile) in page


# --- what it costs


@pytest.mark.parametrize(
    "query",
    [
        "?reason=rare",
        "?actor=alice&scope=user&effect=session&time=7d",
        "?since=2020-01-01&until=2090-01-01",
    ],
)
def test_the_statements_do_not_depend_on_the_rows(admin: Client, user: Any, query: str) -> None:
    """Invariant 8."""

    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(LIST + query).status_code == 200
        return len(queries)

    def fill(count: int) -> None:
        for _ in range(count):
            add("x", reason="rare", actor=str(user.pk), subject=str(user.pk))

    fill(1)
    few = statements()
    fill(120)

    assert statements() == few


@pytest.mark.parametrize("query", ["?reason=rare", "?actor=-", "?effect=odd", "?scope=odd"])
def test_the_log_is_gone_through_once(admin: Client, mixed: None, query: str) -> None:
    """What is rare has no index: to count it and then to show it would go through it twice."""
    add("x", reason="rare", effect="odd", scope="odd")
    with CaptureQueriesContext(connection) as queries:
        assert admin.get(LIST + query).status_code == 200

    ours = [query["sql"] for query in queries if "FROM" in query["sql"]]
    ours = [sql for sql in ours if "jwt_revoke_revocation" in sql]
    assert len(ours) == 2
    assert "LIMIT 10000" in ours[0]
    assert re.search(r"id.? IN \(", ours[1])


@pytest.mark.postgresql
@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's planner")
def test_postgresql_finds_a_time_by_the_index(admin: Client) -> None:
    now = timezone.now()
    Revocation.objects.bulk_create(
        Revocation(
            scope="user",
            subject="1",
            effect="session",
            reason="logout_all",
            created_at=now - datetime.timedelta(hours=number),
            expires_at=now,
        )
        for number in range(5000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jwt_revoke_revocation")

    day = datetime.timedelta(days=1)
    plan = (
        Revocation.objects.filter(created_at__gte=now - 91 * day, created_at__lt=now - 90 * day)
        .order_by("-pk")[:10_000]
        .explain()
    )

    assert "created_at" in plan
    assert "Seq Scan" not in plan


# --- everybody's own


def test_the_batch_of_an_entry_leads_to_what_was_revoked_with_it(admin: Client, user: Any) -> None:
    batch = uuid4()
    entry = add("of it", batch=batch)
    add("of it too", batch=batch)
    add("of none")

    page = admin.get(f"{LIST}{entry.pk}/change/").content.decode()

    assert f'<a href="{LIST}?batch={batch}">{batch}</a>' in page
    assert notes(admin, batch=str(batch)) == ["of it too", "of it"]


def test_staff_who_may_look_may_filter(staff: Callable[..., Client], phone: Device) -> None:
    api.end_session(phone.session_id, reason="logout")

    client = staff("jwt_revoke.view_revocation")

    assert client.get(f"{LIST}?reason=logout").status_code == 200
    assert selected(client, "reason", reason="logout") == ["Logged out"]
