"""A selection of the list logged out everywhere: asked first, and done a page a step."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.testing import Device
from tests.admin.conftest import (
    ANSWER,
    CHANGE_USERS,
    LOG_OUT,
    VIEW_USERS,
    broken_database,
    browser_of,
    list_page,
    messages_of,
)
from tests.admin.sites import SITES
from tests.conftest import make_user

CONFIRMED = ANSWER | {"jwt_revoke_confirmed": "yes"}
EVERYBODY = f"{list_page()}?q=user-"
"""The list of just those whom ``crowd`` makes."""


def press(
    client: Client, people: list[Any], site: str = "admin", address: str = "", **more: Any
) -> Any:
    """What the list posts when its action's button is pressed."""
    data = {
        "action": "log_out_selected",
        "_selected_action": [person.pk for person in people],
        "select_across": "0",
        "index": "0",
    }
    return client.post(address or list_page(site), data | more, follow=True)


def fields_of(page: Any) -> dict[str, list[str]]:
    """What the form of a page would post, by the page's own markup."""
    document = page.content.decode()
    form = document[document.index('<form method="post"', document.index("content-main")) :]
    inputs = [
        {name: unescape(value) for name, value in re.findall(r'([\w-]+)="([^"]*)"', tag)}
        for tag in re.findall(r"<input ([^>]*)>", form[: form.index("</form>")])
    ]
    fields: dict[str, list[str]] = {}
    for tag in inputs:
        if tag.get("type") == "hidden" and "name" in tag:
            fields.setdefault(tag["name"], []).append(tag.get("value", ""))
    return fields


def go_on(client: Client, page: Any, address: str = list_page(), **answer: str) -> Any:
    """What a page posts when its button is pressed: its own hidden fields, and the answer."""
    fields = fields_of(page)
    asked = {} if "effect" in fields else ANSWER
    return client.post(address, fields | asked | answer, follow=True)


@pytest.fixture
def bob(db: None) -> Any:
    return make_user("bob")


@pytest.fixture
def tablet(bob: Any) -> Device:
    """Bob's."""
    return Device(bob, "tablet")


# --- the page that asks


def facts_of(page: Any) -> list[str]:
    return re.findall(r"<dd>(?:<time[^>]*>)?([^<]*)<", page.content.decode())


def test_the_action_asks_first(
    admin: Client, user: Any, bob: Any, phone: Device, laptop: Device, tablet: Device
) -> None:
    page = press(admin, [user, bob])

    assert facts_of(page) == ["2", "3", "just now"]
    assert [phone.standing, tablet.standing] == ["live", "live"]


def test_of_users_who_are_signed_in_nowhere_no_last_use_is_told(admin: Client, user: Any) -> None:
    assert facts_of(press(admin, [user])) == ["1", "0"]


def test_the_page_that_asks_leads_back_to_the_list(admin: Client, user: Any) -> None:
    page = press(admin, [user])

    assert f'href="{list_page()}"' in page.content.decode()


@pytest.mark.once
def test_the_page_that_asks_takes_as_many_statements_whatever_the_number_of_users(
    admin: Client, crowd: list[Any]
) -> None:
    """Invariant 8."""
    press(admin, crowd[:1])  # what is looked up once a process
    with CaptureQueriesContext(connection) as one:
        press(admin, crowd[:1])

    with CaptureQueriesContext(connection) as five:
        page = press(admin, crowd)

    assert facts_of(page)[0] == "5"
    assert len(five) == len(one)


@pytest.mark.once
def test_where_the_site_guards_nobody_no_user_is_read_to_be_judged(
    admin: Client, crowd: list[Any]
) -> None:
    with CaptureQueriesContext(connection) as seen:
        press(admin, crowd)

    whole_rows = [query["sql"] for query in seen if "last_login" in query["sql"].split("FROM")[0]]
    assert all("LIMIT" in sql for sql in whole_rows)


@pytest.mark.once
@pytest.mark.parametrize(
    "answer", [{"effect": "everything"}, {"reason": "password_changed"}, {"note": "x" * 256}]
)
def test_a_wrong_answer_brings_the_page_again_and_does_nothing(
    admin: Client, user: Any, phone: Device, answer: dict[str, str]
) -> None:
    """Invariant 10."""
    page = go_on(admin, press(admin, [user]), **answer)

    assert page.status_code == 200
    assert "errorlist" in page.content.decode()
    assert phone.standing == "live"

    go_on(admin, page)  # and with the right one it goes on from there
    assert phone.standing == "revoked"


# --- doing it


def test_the_confirmed_action_logs_the_selected_out(
    admin: Client, user: Any, bob: Any, phone: Device, tablet: Device
) -> None:
    bystander = Device(make_user("carol"))

    go_on(admin, press(admin, [user, bob]))

    assert [phone.standing, tablet.standing] == ["revoked", "revoked"]
    assert bystander.standing == "live"


def test_the_action_is_one_batch_by_the_admin(
    admin: Client, boss: Any, user: Any, bob: Any
) -> None:
    go_on(admin, press(admin, [user, bob]), reason="left", note="Team closed")

    entries = Revocation.objects.filter(scope="user")
    assert {entry.subject for entry in entries} == {str(user.pk), str(bob.pk)}
    assert {(entry.reason, entry.note, entry.actor) for entry in entries} == {
        ("left", "Team closed", str(boss.pk))
    }
    assert len({entry.batch for entry in entries}) == 1


def test_the_action_leaves_a_history_entry_for_each_user(
    admin: Client, user: Any, bob: Any
) -> None:
    go_on(admin, press(admin, [user, bob]))

    assert {entry.object_id for entry in LogEntry.objects.all()} == {str(user.pk), str(bob.pk)}


def test_the_action_says_how_many(admin: Client, user: Any, bob: Any) -> None:
    response = go_on(admin, press(admin, [user, bob]))

    assert response.redirect_chain == [(list_page(), 302)]
    assert messages_of(response) == ["2 users are logged out everywhere."]


def test_by_the_effect_access_the_sessions_stay(
    admin: Client, user: Any, bob: Any, phone: Device, tablet: Device
) -> None:
    response = go_on(admin, press(admin, [user, bob]), effect="access")

    assert [phone.standing, tablet.standing] == ["stale", "stale"]
    assert not DeviceSession.objects.filter(ended_at__isnull=False).exists()
    assert {entry.get_change_message() for entry in LogEntry.objects.all()} == {
        "Access tokens revoked."
    }
    assert messages_of(response) == [
        "The access tokens of 2 users are revoked; the devices refresh by themselves."
    ]


def test_all_of_the_list_can_be_selected_across_its_pages(
    admin: Client, boss: Any, user: Any, tablet: Device
) -> None:
    page = press(admin, [user], select_across="1")
    assert facts_of(page)[0] == str(get_user_model().objects.count())

    go_on(admin, page)

    assert tablet.standing == "revoked"


def test_a_search_bounds_what_is_selected_across_pages(
    admin: Client, user: Any, phone: Device, tablet: Device
) -> None:
    address = f"{list_page()}?q=alice"

    go_on(admin, press(admin, [user], address=address, select_across="1"), address)

    assert [phone.standing, tablet.standing] == ["revoked", "live"]


def test_the_action_of_a_proxy_s_admin_works_as_well(
    admin: Client, user: Any, phone: Device
) -> None:
    fields = {"action": "log_out_selected", "_selected_action": [user.pk]}

    admin.post(list_page("proxy", "proxymember"), fields | CONFIRMED)

    assert phone.standing == "revoked"


@pytest.mark.django_db(transaction=True)
def test_an_action_that_the_database_does_not_answer_does_nothing_and_says_so(
    admin: Client, user: Any, phone: Device
) -> None:
    page = press(admin, [user])
    with broken_database():
        response = go_on(admin, page)

    assert messages_of(response) == ["The database did not answer. Nothing was done: try again."]
    assert phone.standing == "live"
    assert not LogEntry.objects.exists()


# --- a page a step


@pytest.fixture
def crowd(db: None) -> list[Any]:
    """Five users, signed in."""
    people = [make_user(f"user-{number}") for number in range(5)]
    for person in people:
        Device(person)
    return people


@pytest.fixture
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt_revoke.admin.bulk_logout.PAGE", 2)


def begin(client: Client, people: list[Any], site: str = "admin") -> Any:
    """All of a crowd, selected across pages, and the first step taken."""
    address = EVERYBODY.replace("admin", site, 1)
    return go_on(client, press(client, people[:1], address=address, select_across="1"), address)


def live(people: list[Any]) -> list[str]:
    """Which of them are signed in."""
    sessions = DeviceSession.objects.filter(user__in=people, ended_at__isnull=True)
    return sorted(sessions.values_list("user__username", flat=True))


def test_the_page_that_asks_says_that_it_is_done_in_steps(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    text = "It is done in steps of 2 users"

    assert text in press(admin, crowd).content.decode()
    assert text not in press(admin, crowd[:2]).content.decode()


def test_a_step_does_one_page_and_shows_how_far_it_is(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    page = begin(admin, crowd)

    document = page.content.decode()
    assert live(crowd) == ["user-2", "user-3", "user-4"]
    assert "2 of 5 users are done." in document
    assert "3 users remain." in document
    assert '<progress id="jwt-revoke-progress" max="5" value="2">' in document


def test_the_next_steps_do_the_others_each_once(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    second = go_on(admin, begin(admin, crowd), EVERYBODY)
    assert live(crowd) == ["user-4"]
    assert "4 of 5 users are done." in second.content.decode()
    assert "1 user remains." in second.content.decode()

    last = go_on(admin, second, EVERYBODY)

    assert live(crowd) == []
    assert last.redirect_chain == [(EVERYBODY, 302)]
    assert messages_of(last) == ["5 users are logged out everywhere."]
    subjects = Revocation.objects.order_by("id").values_list("subject", flat=True)
    assert list(subjects) == [str(person.pk) for person in crowd]
    assert LogEntry.objects.count() == 5


def test_a_run_that_ends_with_a_whole_page_ends_with_it(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    crowd.pop().delete()

    last = go_on(admin, begin(admin, crowd), EVERYBODY)

    assert messages_of(last) == ["4 users are logged out everywhere."]


def test_every_step_has_the_answer_of_the_first(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    page = press(admin, crowd)
    for step in range(3):
        more = {"effect": "access", "reason": "other", "note": "“A & B”"} if not step else {}
        page = go_on(admin, page, **more)

    entries = Revocation.objects.all()
    assert {(entry.effect, entry.reason, entry.note) for entry in entries} == {
        ("access", "other", "“A & B”")
    }
    assert len(entries) == 5
    assert "The access tokens of 5 users are revoked" in messages_of(page)[0]


def test_those_who_are_ticked_stay_ticked(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    page = go_on(admin, press(admin, crowd[:4]))
    assert "2 of 4 users are done." in page.content.decode()

    go_on(admin, page)

    assert live(crowd) == ["user-4"]


@pytest.mark.once
def test_a_run_across_pages_posts_one_of_those_who_are_ticked(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    """However long the site's pages are, Django's limit of fields is not reached sooner."""
    page = press(admin, crowd, address=EVERYBODY, select_across="1")

    assert len(fields_of(page)["_selected_action"]) == 1


def test_the_sites_order_of_the_list_changes_nothing(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    address = f"{EVERYBODY}&o=-1"
    page = press(admin, crowd[:1], address=address, select_across="1")

    for _step in range(3):
        page = go_on(admin, page, address)

    assert live(crowd) == []


def test_a_list_that_shows_a_user_twice_logs_each_out_once(
    admin: Client, crowd: list[Any], pages_of_two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_admin = SITES["second"].get_model_admin(get_user_model())
    twice = Group.objects.create(name="a"), Group.objects.create(name="b")
    for person in crowd:
        person.groups.set(twice)
    own = model_admin.get_queryset

    def joined(request: Any) -> Any:
        return own(request).filter(groups__name__in=["a", "b"])

    monkeypatch.setattr(model_admin, "get_queryset", joined)
    address = list_page("second")
    page = press(admin, crowd[:1], address=address, select_across="1")

    while not page.redirect_chain:
        page = go_on(admin, page, address)

    assert live(crowd) == []
    assert Revocation.objects.filter(reason="logout_all").count() == 5
    assert messages_of(page) == ["5 users are logged out everywhere."]


def test_who_leaves_the_selection_by_being_logged_out_makes_nobody_be_skipped(
    admin: Client, crowd: list[Any], pages_of_two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_admin = SITES["second"].get_model_admin(get_user_model())
    own = model_admin.get_queryset

    def signed_in(request: Any) -> Any:
        return own(request).filter(
            pk__in=DeviceSession.objects.filter(ended_at=None).values("user")
        )

    monkeypatch.setattr(model_admin, "get_queryset", signed_in)
    address = list_page("second")
    page = press(admin, crowd[:1], address=address, select_across="1")

    while not page.redirect_chain:
        page = go_on(admin, page, address)

    assert live(crowd) == []
    assert messages_of(page) == ["5 users are logged out everywhere."]


def test_who_is_deleted_meanwhile_is_no_error(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    page = begin(admin, crowd)
    for person in crowd[2:]:
        person.delete()

    last = go_on(admin, page, EVERYBODY)

    assert messages_of(last) == ["2 users are logged out everywhere."]


@pytest.mark.once
def test_a_step_takes_as_many_statements_whatever_the_number_of_users(
    admin: Client, crowd: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 8."""
    counts = []
    for size in (2, 4, 2, 4):  # the first two look up what is looked up once a process
        monkeypatch.setattr("jwt_revoke.admin.bulk_logout.PAGE", size)
        page = press(admin, crowd)
        with CaptureQueriesContext(connection) as seen:
            go_on(admin, page)
        counts.append(len(seen))

    assert counts[2] == counts[3]


# --- interrupted


def test_a_step_that_is_posted_again_is_harmless(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    first = begin(admin, crowd)
    go_on(admin, first, EVERYBODY)

    again = go_on(admin, first, EVERYBODY)

    assert "4 of 5 users are done." in again.content.decode()
    assert live(crowd) == ["user-4"]


def test_a_run_that_was_broken_off_is_begun_again(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    begin(admin, crowd)

    page = begin(admin, crowd)
    while not page.redirect_chain:
        page = go_on(admin, page, EVERYBODY)

    assert live(crowd) == []
    assert messages_of(page) == ["5 users are logged out everywhere."]


@pytest.mark.once
def test_who_stops_is_led_back_to_the_list_as_it_was(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    page = begin(admin, crowd).content.decode()

    assert f'href="{EVERYBODY}">Stop</a>' in page


@pytest.mark.django_db(transaction=True)
def test_a_step_that_the_database_does_not_answer_waits_for_the_person(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    """Invariant 4."""
    page = begin(admin, crowd)
    assert "data-pause" in page.content.decode()

    with broken_database():
        refused = go_on(admin, page, EVERYBODY)

    assert "The database did not answer. What was done stays done" in refused.content.decode()
    assert "2 of 5 users are done." in refused.content.decode()
    assert "data-pause" not in refused.content.decode()
    assert live(crowd) == ["user-2", "user-3", "user-4"]

    go_on(admin, refused, EVERYBODY)
    assert live(crowd) == ["user-4"]


@pytest.mark.django_db(transaction=True)
def test_a_step_whose_history_cannot_be_written_is_done_again(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    page = begin(admin, crowd)
    admin.raise_request_exception = False

    with unwritable_history():
        assert go_on(admin, page, EVERYBODY).status_code == 500
    go_on(admin, page, EVERYBODY)

    assert live(crowd) == ["user-4"]
    assert LogEntry.objects.count() == 4


@contextmanager
def unwritable_history() -> Iterator[None]:
    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "django_admin_log" in sql:
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield


# --- what a browser posts is believed by nobody


TAMPERED: dict[str, dict[str, str]] = {
    "no key": {"jwt_revoke-after": "junk"},
    "a key that no column holds": {"jwt_revoke-after": "9" * 40},
    "a key longer than any": {"jwt_revoke-after": "1" * 256},
    "NUL": {"jwt_revoke-after": "\0"},
    "no number": {"jwt_revoke-done": "many"},
    "less than none": {"jwt_revoke-done": "-1"},
}


@pytest.mark.once
@pytest.mark.parametrize("state", TAMPERED.values(), ids=list(TAMPERED))
def test_a_state_that_none_of_our_pages_wrote_brings_back_the_page_that_asks(
    admin: Client, crowd: list[Any], pages_of_two: None, state: dict[str, str]
) -> None:
    """Invariant 10."""
    page = go_on(admin, begin(admin, crowd), EVERYBODY, **state)

    assert page.status_code == 200
    assert facts_of(page)[0] == "5"
    assert live(crowd) == ["user-2", "user-3", "user-4"]


@pytest.mark.once
def test_a_cursor_past_everybody_ends_the_run(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    page = go_on(admin, begin(admin, crowd), EVERYBODY, **{"jwt_revoke-after": str(2**63 - 1)})

    assert messages_of(page) == ["2 users are logged out everywhere."]
    assert live(crowd) == ["user-2", "user-3", "user-4"]


# --- who may


@pytest.mark.parametrize("permissions", [(VIEW_USERS,), (CHANGE_USERS,), (VIEW_USERS, LOG_OUT)])
def test_who_may_not_is_not_offered_the_action_and_cannot_post_it(
    staff: Callable[..., Client], user: Any, phone: Device, permissions: tuple[str, ...]
) -> None:
    client = staff(*permissions)
    assert 'value="log_out_selected"' not in client.get(list_page()).content.decode()

    press(client, [user], **CONFIRMED)

    assert phone.standing == "live"


@pytest.fixture
def guarded(crowd: list[Any]) -> Any:
    """The last of the crowd is a superuser."""
    crowd[-1].is_superuser = True
    crowd[-1].save()
    return crowd[-1]


@pytest.mark.parametrize("answer", [{}, CONFIRMED], ids=["asking", "doing"])
def test_the_action_is_refused_before_the_first_step_when_somebody_of_the_last_is_guarded(
    staff: Callable[..., Client],
    crowd: list[Any],
    guarded: Any,
    pages_of_two: None,
    answer: dict[str, str],
) -> None:
    response = press(staff(CHANGE_USERS, LOG_OUT), crowd, "guards-superusers", **answer)

    assert response.status_code == 403
    assert len(live(crowd)) == 5


def test_a_step_is_refused_when_somebody_of_it_is_guarded_by_now(
    staff: Callable[..., Client], crowd: list[Any], pages_of_two: None
) -> None:
    client, address = staff(CHANGE_USERS, LOG_OUT), list_page("guards-superusers")
    page = go_on(client, press(client, crowd, "guards-superusers"), address)
    crowd[3].is_superuser = True
    crowd[3].save()

    response = go_on(client, page, address)

    assert response.status_code == 403
    assert live(crowd) == ["user-2", "user-3", "user-4"]


def test_a_step_is_refused_to_who_may_no_more(
    staff: Callable[..., Client], crowd: list[Any], pages_of_two: None
) -> None:
    client = staff(CHANGE_USERS, LOG_OUT)
    page = go_on(client, press(client, crowd))
    get_user_model().objects.get(username="staff").user_permissions.clear()

    assert go_on(client, page).status_code == 403
    assert live(crowd) == ["user-2", "user-3", "user-4"]


@pytest.mark.parametrize("state", [{}, {"jwt_revoke-after": "1", "jwt_revoke-done": "1"}])
def test_the_action_without_the_csrf_token_is_refused(
    boss: Any, user: Any, phone: Device, state: dict[str, str]
) -> None:
    client = browser_of(boss, enforce_csrf_checks=True)

    response = press(client, [user], **CONFIRMED, **state)

    assert response.status_code == 403
    assert phone.standing == "live"


def test_a_get_with_all_of_it_does_nothing(admin: Client, user: Any, phone: Device) -> None:
    fields = {"action": "log_out_selected", "_selected_action": user.pk} | CONFIRMED

    admin.get(list_page(), fields)

    assert phone.standing == "live"


def test_who_is_logged_out_of_the_admin_is_asked_to_log_in(
    admin: Client, crowd: list[Any], pages_of_two: None
) -> None:
    page = begin(admin, crowd)
    admin.logout()

    response = go_on(admin, page, EVERYBODY)

    assert response.redirect_chain[0][0].startswith("/admin/login/?next=")
    assert live(crowd) == ["user-2", "user-3", "user-4"]
