"""One user logged out everywhere: the link leads to a page that asks, and a POST does it.

A selection of the list: ``test_bulk_logout.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.reasons import PICKED
from jwt_revoke.testing import Device
from tests.admin.conftest import (
    ANSWER,
    CHANGE_USERS,
    LOG_OUT,
    VIEW_USERS,
    broken_database,
    browser_of,
    change_page,
    list_page,
    log_out_page,
    messages_of,
)
from tests.admin.sites import SITES
from tests.conftest import make_user

pytestmark = pytest.mark.once

# --- the page that asks


def test_the_page_says_whose_sessions_how_many_and_on_which_devices(
    admin: Client, user: Any, phone: Device, laptop: Device
) -> None:
    page = admin.get(log_out_page(user)).content.decode()

    assert "“alice” has 2 live sessions." in page
    assert "phone" in page
    assert "laptop" in page


def test_the_page_counts_live_sessions_only(
    admin: Client, user: Any, phone: Device, laptop: Device
) -> None:
    DeviceSession.objects.filter(pk=phone.session_id).update(ended_at="2026-01-01T00:00Z")

    page = admin.get(log_out_page(user)).content.decode()

    assert "“alice” has 1 live session." in page
    assert "phone" not in page


def test_of_many_sessions_the_last_used_are_listed(admin: Client, user: Any) -> None:
    for number in range(21):
        Device(user, f"device-{number:02}")

    page = admin.get(log_out_page(user)).content.decode()

    assert "“alice” has 21 live sessions." in page
    assert "Only the last used ones are listed." in page
    assert "device-20" in page
    assert "device-00" not in page


def test_the_page_says_where_and_since_when(admin: Client, user: Any, phone: Device) -> None:
    DeviceSession.objects.filter(pk=phone.session_id).update(
        ip_address="192.0.2.7",
        created_at=timezone.now() - timedelta(days=3),
        last_used_at=timezone.now() - timedelta(hours=2),
    )

    page = admin.get(log_out_page(user)).content.decode()

    assert "192.0.2.7" in page
    assert "3\xa0days\xa0ago" in page
    assert "2\xa0hours\xa0ago" in page


@pytest.mark.parametrize("is_configured", [True, False])
def test_places_are_told_where_the_site_knows_them(
    admin: Client,
    user: Any,
    phone: Device,
    monkeypatch: pytest.MonkeyPatch,
    is_configured: bool,
) -> None:
    monkeypatch.setattr("jwt_revoke.admin.logout.is_configured", lambda: is_configured)
    monkeypatch.setattr("jwt_revoke.admin.listed.place_of", lambda address: "Lisbon, Portugal")

    page = admin.get(log_out_page(user)).content.decode()

    assert ("Lisbon, Portugal" in page) == is_configured


@pytest.mark.parametrize("field", ["effect", "reason", "note"])
def test_the_page_asks_how_far_why_and_for_a_note(admin: Client, user: Any, field: str) -> None:
    assert f'name="{field}"' in admin.get(log_out_page(user)).content.decode()


def test_the_page_has_the_answers_of_the_button_chosen_at_first(admin: Client, user: Any) -> None:
    form = admin.get(log_out_page(user)).context["fieldset"].form

    # A select shows its first choice.
    chosen = {**form.initial, "effect": form["effect"].initial, "reason": next(iter(PICKED))}
    assert chosen | {"note": ""} == ANSWER


def test_the_page_takes_as_many_statements_whatever_the_number_of_sessions(
    admin: Client, user: Any, phone: Device
) -> None:
    """Invariant 8."""
    admin.get(log_out_page(user))  # what is looked up once a process
    with CaptureQueriesContext(connection) as one:
        admin.get(log_out_page(user))
    session = DeviceSession.objects.get(pk=phone.session_id)
    copies = []
    for _number in range(999):
        copy = deepcopy(session)
        copy.pk = uuid4()
        copies.append(copy)
    DeviceSession.objects.bulk_create(copies)

    with CaptureQueriesContext(connection) as thousand:
        page = admin.get(log_out_page(user)).content.decode()

    assert "“alice” has 1000 live sessions." in page
    assert len(thousand) == len(one)


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "delete"])
def test_nothing_but_a_post_acts(admin: Client, user: Any, phone: Device, method: str) -> None:
    getattr(admin, method)(log_out_page(user), ANSWER)

    assert phone.standing == "live"


def test_the_page_leads_back(admin: Client, user: Any) -> None:
    assert f'href="{change_page(user)}"' in admin.get(log_out_page(user)).content.decode()


def test_the_page_leads_to_the_list_in_its_breadcrumbs(admin: Client, user: Any) -> None:
    assert f'<a href="{list_page()}">' in admin.get(log_out_page(user)).content.decode()


def test_the_breadcrumbs_are_marked_up_as_django_s(admin: Client, user: Any) -> None:
    marks = ['<ol class="breadcrumbs">', '<div class="breadcrumbs">']
    django_s = admin.get(f"/admin/accounts/member/{user.pk}/delete/").content.decode()
    ours = admin.get(log_out_page(user)).content.decode()

    assert [mark in ours for mark in marks] == [mark in django_s for mark in marks]


def test_the_page_stays_on_the_second_site(admin: Client, user: Any) -> None:
    page = admin.get(log_out_page(user, "second")).content.decode()

    assert f'href="{change_page(user, "second")}"' in page
    assert 'href="/admin/' not in page


def test_names_are_escaped(admin: Client) -> None:
    person = make_user("<b>eve</b>")
    Device(person, "<script>alert(1)</script>")

    page = admin.get(log_out_page(person)).content.decode()

    assert "&lt;b&gt;eve&lt;/b&gt;" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<b>eve" not in page
    assert "<script>alert" not in page


# --- doing it


def test_a_post_logs_the_user_out_everywhere(
    admin: Client, user: Any, phone: Device, laptop: Device
) -> None:
    admin.post(log_out_page(user), ANSWER)

    assert [phone.standing, laptop.standing] == ["revoked", "revoked"]


def test_nobody_else_is_logged_out(admin: Client, user: Any) -> None:
    other = Device(make_user("bob"))

    admin.post(log_out_page(user), ANSWER)

    assert other.standing == "live"


def test_the_log_names_the_admin_and_the_reason(admin: Client, boss: Any, user: Any) -> None:
    admin.post(log_out_page(user), ANSWER)

    entry = Revocation.objects.get(scope="user", subject=str(user.pk))
    assert (entry.actor, entry.reason) == (str(boss.pk), "logout_all")


def test_the_log_has_the_reason_and_the_note_that_were_given(admin: Client, user: Any) -> None:
    admin.post(log_out_page(user), ANSWER | {"reason": "device_lost", "note": "Ticket <42>"})

    entry = Revocation.objects.get(scope="user", subject=str(user.pk))
    assert (entry.reason, entry.note) == ("device_lost", "Ticket <42>")


def test_by_the_effect_access_the_sessions_stay(
    admin: Client, boss: Any, user: Any, phone: Device
) -> None:
    response = admin.post(log_out_page(user), ANSWER | {"effect": "access"}, follow=True)

    assert phone.standing == "stale"
    assert DeviceSession.objects.get(pk=phone.session_id).ended_at is None
    assert Revocation.objects.get(subject=str(user.pk)).effect == "access"
    assert LogEntry.objects.get().get_change_message() == "Access tokens revoked."
    assert messages_of(response) == [
        "The access tokens of “alice” are revoked; the devices refresh by themselves."
    ]


WRONG: dict[str, dict[str, str]] = {
    "no effect": {"effect": ""},
    "an unknown effect": {"effect": "everything"},
    "no reason": {"reason": ""},
    "a reason of nobody's list": {"reason": "password_changed"},
    "a note that is too long": {"note": "x" * 256},
    "a note that no database keeps": {"note": "a\0b"},
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=list(WRONG))
def test_a_wrong_answer_brings_the_page_again_and_does_nothing(
    admin: Client, user: Any, phone: Device, answer: dict[str, str]
) -> None:
    """Invariant 10."""
    (field,) = answer

    response = admin.post(log_out_page(user), ANSWER | answer)

    assert response.status_code == 200
    assert list(response.context["fieldset"].form.errors) == [field]
    assert "errorlist" in response.content.decode()
    assert phone.standing == "live"


def test_what_was_answered_rightly_stays_answered(admin: Client, user: Any) -> None:
    page = admin.post(log_out_page(user), ANSWER | {"reason": "", "note": "<Ticket> 42"})

    assert 'value="&lt;Ticket&gt; 42"' in page.content.decode()


def test_the_longest_note_is_kept_whole(admin: Client, user: Any) -> None:
    admin.post(log_out_page(user), ANSWER | {"note": "ä" * 255})

    assert Revocation.objects.get(subject=str(user.pk)).note == "ä" * 255


def test_the_admin_s_history_has_it(admin: Client, boss: Any, user: Any) -> None:
    admin.post(log_out_page(user), ANSWER)

    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.action_flag) == (boss, str(user.pk), CHANGE)
    assert entry.get_change_message() == "Logged out everywhere."


def test_a_message_says_so_on_the_change_page(admin: Client, user: Any) -> None:
    response = admin.post(log_out_page(user), ANSWER, follow=True)

    assert response.redirect_chain == [(change_page(user), 302)]
    assert messages_of(response) == ["“alice” is logged out everywhere."]


def test_the_message_is_escaped(admin: Client) -> None:
    person = make_user("<b>eve</b>")

    page = admin.post(log_out_page(person), ANSWER, follow=True).content.decode()

    assert "“&lt;b&gt;eve&lt;/b&gt;” is logged out everywhere." in page


def test_an_admin_without_a_named_change_page_leads_to_the_index(admin: Client, user: Any) -> None:
    response = admin.post(log_out_page(user, "own-urls"), ANSWER)

    assert response.headers["Location"] == "/own-urls/"


def test_on_the_second_site_one_returns_to_it(admin: Client, user: Any, phone: Device) -> None:
    response = admin.post(log_out_page(user, "second"), ANSWER)

    assert response.headers["Location"] == change_page(user, "second")
    assert phone.standing == "revoked"


def test_the_admin_of_a_proxy_works_as_well(admin: Client, user: Any, phone: Device) -> None:
    admin.post(log_out_page(user, "proxy", "proxymember"), ANSWER)

    assert phone.standing == "revoked"


def test_a_user_who_never_signed_in_is_no_error(admin: Client, user: Any) -> None:
    page = admin.get(log_out_page(user)).content.decode()

    assert "“alice” has 0 live sessions." in page
    assert admin.post(log_out_page(user), ANSWER).status_code == 302


def test_a_key_comes_quoted(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_for: list[str] = []
    model_admin = SITES["second"].get_model_admin(get_user_model())
    monkeypatch.setattr(model_admin, "get_object", lambda request, key: asked_for.append(key))

    admin.get("/second/accounts/member/a_2Fb_5F1/log-out-everywhere/")

    assert asked_for == ["a/b_1"]


@pytest.mark.parametrize("key", ["999999", "junk", "9" * 40, "%00", "a/b", "_5C"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_unknown_key_is_404(admin: Client, key: str, method: str) -> None:
    response = getattr(admin, method)(f"/admin/accounts/member/{key}/log-out-everywhere/")

    assert response.status_code == 404


@pytest.mark.django_db(transaction=True)
def test_while_the_database_does_not_answer_nothing_is_done_and_it_is_said(
    admin: Client, user: Any, phone: Device
) -> None:
    with broken_database():
        response = admin.post(log_out_page(user), ANSWER, follow=True)

    assert messages_of(response) == ["The database did not answer. Nothing was done: try again."]
    assert phone.standing == "live"
    assert not LogEntry.objects.exists()


# --- who may


DENIED: dict[str, tuple[str, ...]] = {
    "no permission": (),
    "view only": (VIEW_USERS, LOG_OUT),
    "change only": (CHANGE_USERS,),
    "log out only": (LOG_OUT,),
}


@pytest.mark.parametrize("permissions", DENIED.values(), ids=list(DENIED))
@pytest.mark.parametrize("method", ["get", "post"])
def test_who_lacks_one_of_the_two_permissions_is_refused(
    staff: Callable[..., Client],
    user: Any,
    phone: Device,
    permissions: tuple[str, ...],
    method: str,
) -> None:
    response = getattr(staff(*permissions), method)(log_out_page(user), ANSWER)

    assert response.status_code == 403
    assert phone.standing == "live"


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_may_not_do_it_is_not_told_which_users_there_are(
    staff: Callable[..., Client], user: Any, method: str
) -> None:
    client = staff(VIEW_USERS)

    assert (
        getattr(client, method)("/admin/accounts/member/999/log-out-everywhere/").status_code == 403
    )


@pytest.mark.parametrize(
    "permissions", [p for p in DENIED.values() if {VIEW_USERS, CHANGE_USERS} & set(p)]
)
def test_who_lacks_one_of_the_two_permissions_sees_no_button(
    staff: Callable[..., Client], user: Any, permissions: tuple[str, ...]
) -> None:
    page = staff(*permissions).get(change_page(user))

    assert page.status_code == 200
    assert "Log out everywhere" not in page.content.decode()


def test_who_has_both_permissions_sees_the_button(staff: Callable[..., Client], user: Any) -> None:
    page = staff(CHANGE_USERS, LOG_OUT).get(change_page(user)).content.decode()

    assert "Log out everywhere" in page


def test_who_has_both_permissions_may(
    staff: Callable[..., Client], user: Any, phone: Device
) -> None:
    client = staff(CHANGE_USERS, LOG_OUT)

    assert client.get(log_out_page(user)).status_code == 200
    assert client.post(log_out_page(user), ANSWER).status_code == 302
    assert phone.standing == "revoked"


def test_what_the_site_s_admin_guards_is_guarded(staff: Callable[..., Client], boss: Any) -> None:
    phone = Device(boss)

    response = staff(CHANGE_USERS, LOG_OUT).post(log_out_page(boss, "guards-superusers"), ANSWER)

    assert response.status_code == 403
    assert phone.standing == "live"


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_logged_in_is_asked_to_log_in(
    client: Client, user: Any, phone: Device, method: str
) -> None:
    response = getattr(client, method)(log_out_page(user), ANSWER)

    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/?next=")
    assert phone.standing == "live"


def test_a_user_who_is_no_staff_is_asked_to_log_in(user: Any, phone: Device) -> None:
    response = browser_of(user).post(log_out_page(user), ANSWER)

    assert response.headers["Location"].startswith("/admin/login/?next=")
    assert phone.standing == "live"


def test_a_post_without_the_csrf_token_is_refused(boss: Any, user: Any, phone: Device) -> None:
    response = browser_of(boss, enforce_csrf_checks=True).post(log_out_page(user), ANSWER)

    assert response.status_code == 403
    assert phone.standing == "live"


def test_the_form_of_the_page_carries_the_csrf_token(boss: Any, user: Any, phone: Device) -> None:
    client = browser_of(boss, enforce_csrf_checks=True)
    token = str(client.get(log_out_page(user)).context["csrf_token"])

    response = client.post(log_out_page(user), ANSWER | {"csrfmiddlewaretoken": token})

    assert response.status_code == 302
    assert phone.standing == "revoked"
