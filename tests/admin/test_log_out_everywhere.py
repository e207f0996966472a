"""One user logged out everywhere: the link leads to a page that asks, and a POST does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.test import Client

from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.testing import Device
from tests.admin.conftest import (
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

# --- the page that asks


def test_the_page_says_whose_sessions_how_many_and_on_which_devices(
    admin: Client, user: Any, phone: Device, laptop: Device
) -> None:
    page = admin.get(log_out_page(user)).content.decode()

    assert "“alice” will be logged out everywhere." in page
    assert "2 sessions will end." in page
    assert "phone" in page
    assert "laptop" in page


def test_the_page_counts_live_sessions_only(
    admin: Client, user: Any, phone: Device, laptop: Device
) -> None:
    DeviceSession.objects.filter(pk=phone.session_id).update(ended_at="2026-01-01T00:00Z")

    page = admin.get(log_out_page(user)).content.decode()

    assert "1 session will end." in page
    assert "phone" not in page


def test_of_many_sessions_the_last_used_are_listed(admin: Client, user: Any) -> None:
    for number in range(21):
        Device(user, f"device-{number:02}")

    page = admin.get(log_out_page(user)).content.decode()

    assert "21 sessions will end." in page
    assert "Only the last used ones are listed." in page
    assert "device-20" in page
    assert "device-00" not in page


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "delete"])
def test_nothing_but_a_post_acts(admin: Client, user: Any, phone: Device, method: str) -> None:
    getattr(admin, method)(log_out_page(user))

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
    admin.post(log_out_page(user))

    assert [phone.standing, laptop.standing] == ["revoked", "revoked"]


def test_nobody_else_is_logged_out(admin: Client, user: Any) -> None:
    other = Device(make_user("bob"))

    admin.post(log_out_page(user))

    assert other.standing == "live"


def test_the_log_names_the_admin_and_the_reason(admin: Client, boss: Any, user: Any) -> None:
    admin.post(log_out_page(user))

    entry = Revocation.objects.get(scope="user", subject=str(user.pk))
    assert (entry.actor, entry.reason) == (str(boss.pk), "logout_all")


def test_the_admin_s_history_has_it(admin: Client, boss: Any, user: Any) -> None:
    admin.post(log_out_page(user))

    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.action_flag) == (boss, str(user.pk), CHANGE)
    assert entry.get_change_message() == "Logged out everywhere."


def test_a_message_says_so_on_the_change_page(admin: Client, user: Any) -> None:
    response = admin.post(log_out_page(user), follow=True)

    assert response.redirect_chain == [(change_page(user), 302)]
    assert messages_of(response) == ["“alice” is logged out everywhere."]


def test_the_message_is_escaped(admin: Client) -> None:
    person = make_user("<b>eve</b>")

    page = admin.post(log_out_page(person), follow=True).content.decode()

    assert "“&lt;b&gt;eve&lt;/b&gt;” is logged out everywhere." in page


def test_an_admin_without_a_named_change_page_leads_to_the_index(admin: Client, user: Any) -> None:
    response = admin.post(log_out_page(user, "own-urls"))

    assert response.headers["Location"] == "/own-urls/"


def test_on_the_second_site_one_returns_to_it(admin: Client, user: Any, phone: Device) -> None:
    response = admin.post(log_out_page(user, "second"))

    assert response.headers["Location"] == change_page(user, "second")
    assert phone.standing == "revoked"


def test_the_admin_of_a_proxy_works_as_well(admin: Client, user: Any, phone: Device) -> None:
    admin.post(log_out_page(user, "proxy", "proxymember"))

    assert phone.standing == "revoked"


def test_a_user_who_never_signed_in_is_no_error(admin: Client, user: Any) -> None:
    page = admin.get(log_out_page(user)).content.decode()

    assert "0 sessions will end." in page
    assert admin.post(log_out_page(user)).status_code == 302


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
        response = admin.post(log_out_page(user), follow=True)

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
    response = getattr(staff(*permissions), method)(log_out_page(user))

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
    assert client.post(log_out_page(user)).status_code == 302
    assert phone.standing == "revoked"


def test_what_the_site_s_admin_guards_is_guarded(staff: Callable[..., Client], boss: Any) -> None:
    phone = Device(boss)

    response = staff(CHANGE_USERS, LOG_OUT).post(log_out_page(boss, "guards-superusers"))

    assert response.status_code == 403
    assert phone.standing == "live"


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_logged_in_is_asked_to_log_in(
    client: Client, user: Any, phone: Device, method: str
) -> None:
    response = getattr(client, method)(log_out_page(user))

    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/?next=")
    assert phone.standing == "live"


def test_a_user_who_is_no_staff_is_asked_to_log_in(user: Any, phone: Device) -> None:
    response = browser_of(user).post(log_out_page(user))

    assert response.headers["Location"].startswith("/admin/login/?next=")
    assert phone.standing == "live"


def test_a_post_without_the_csrf_token_is_refused(boss: Any, user: Any, phone: Device) -> None:
    response = browser_of(boss, enforce_csrf_checks=True).post(log_out_page(user))

    assert response.status_code == 403
    assert phone.standing == "live"


def test_the_form_of_the_page_carries_the_csrf_token(boss: Any, user: Any, phone: Device) -> None:
    client = browser_of(boss, enforce_csrf_checks=True)
    token = str(client.get(log_out_page(user)).context["csrf_token"])

    response = client.post(log_out_page(user), {"csrfmiddlewaretoken": token})

    assert response.status_code == 302
    assert phone.standing == "revoked"


# --- a selection of the list


def press(client: Client, people: list[Any], site: str = "admin", **more: Any) -> Any:
    """What the list posts when its action's button is pressed."""
    data = {
        "action": "log_out_selected",
        "_selected_action": [person.pk for person in people],
        "select_across": "0",
        "index": "0",
    }
    return client.post(list_page(site), data | more, follow=True)


def confirm(client: Client, page: Any, address: str = list_page()) -> Any:
    """What the page that asks posts: its own hidden fields."""
    names = {"action", "select_across", "jwt_revoke_confirmed"}
    context = page.context
    fields = {
        "action": context["action"],
        "select_across": context["select_across"],
        "_selected_action": context["selected"],
        "jwt_revoke_confirmed": "yes",
    }
    for name in names:
        assert f'name="{name}" value="{fields[name]}"' in page.content.decode()
    return client.post(address, fields, follow=True)


@pytest.fixture
def bob(db: None) -> Any:
    return make_user("bob")


@pytest.fixture
def tablet(bob: Any) -> Device:
    """Bob's."""
    return Device(bob, "tablet")


def test_the_action_asks_first(
    admin: Client, user: Any, bob: Any, phone: Device, laptop: Device, tablet: Device
) -> None:
    page = press(admin, [user, bob])

    assert "2 users will be logged out everywhere." in page.content.decode()
    assert "3 sessions will end." in page.content.decode()
    assert [phone.standing, tablet.standing] == ["live", "live"]


def test_the_page_that_asks_leads_back_to_the_list(admin: Client, user: Any) -> None:
    page = press(admin, [user])

    assert f'href="{list_page()}"' in page.content.decode()


def test_the_confirmed_action_logs_the_selected_out(
    admin: Client, user: Any, bob: Any, phone: Device, tablet: Device
) -> None:
    bystander = Device(make_user("carol"))

    confirm(admin, press(admin, [user, bob]))

    assert [phone.standing, tablet.standing] == ["revoked", "revoked"]
    assert bystander.standing == "live"


def test_the_action_is_one_batch_by_the_admin(
    admin: Client, boss: Any, user: Any, bob: Any
) -> None:
    confirm(admin, press(admin, [user, bob]))

    entries = Revocation.objects.filter(scope="user")
    assert {entry.subject for entry in entries} == {str(user.pk), str(bob.pk)}
    assert {(entry.reason, entry.actor) for entry in entries} == {("logout_all", str(boss.pk))}
    assert len({entry.batch for entry in entries}) == 1


def test_the_action_leaves_a_history_entry_for_each_user(
    admin: Client, user: Any, bob: Any
) -> None:
    confirm(admin, press(admin, [user, bob]))

    assert {entry.object_id for entry in LogEntry.objects.all()} == {str(user.pk), str(bob.pk)}


def test_the_action_says_how_many(admin: Client, user: Any, bob: Any) -> None:
    response = confirm(admin, press(admin, [user, bob]))

    assert response.redirect_chain == [(list_page(), 302)]
    assert messages_of(response) == ["2 users are logged out everywhere."]


def test_all_of_the_list_can_be_selected_across_its_pages(
    admin: Client, boss: Any, user: Any, tablet: Device
) -> None:
    page = press(admin, [user], select_across="1")
    assert f"{get_user_model().objects.count()} users will be" in page.content.decode()

    confirm(admin, page)

    assert tablet.standing == "revoked"


def test_a_search_bounds_what_is_selected_across_pages(
    admin: Client, user: Any, phone: Device, tablet: Device
) -> None:
    address = f"{list_page()}?q=alice"
    data = {
        "action": "log_out_selected",
        "_selected_action": [user.pk],
        "select_across": "1",
        "index": "0",
    }

    confirm(admin, admin.post(address, data), address)

    assert [phone.standing, tablet.standing] == ["revoked", "live"]


def test_more_users_than_are_held_in_memory_at_once(
    admin: Client, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_revoke.admin.readonly.PAGE", 2)
    people = [user, *(make_user(f"user-{number}") for number in range(4))]

    confirm(admin, press(admin, people))

    assert {entry.object_id for entry in LogEntry.objects.all()} == {str(p.pk) for p in people}


def test_the_action_of_a_proxy_s_admin_works_as_well(
    admin: Client, user: Any, phone: Device
) -> None:
    fields = {
        "action": "log_out_selected",
        "_selected_action": [user.pk],
        "jwt_revoke_confirmed": "yes",
    }

    admin.post(list_page("proxy", "proxymember"), fields)

    assert phone.standing == "revoked"


@pytest.mark.django_db(transaction=True)
def test_an_action_that_the_database_does_not_answer_does_nothing_and_says_so(
    admin: Client, user: Any, phone: Device
) -> None:
    page = press(admin, [user])
    with broken_database():
        response = confirm(admin, page)

    assert messages_of(response) == ["The database did not answer. Nothing was done: try again."]
    assert phone.standing == "live"
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("permissions", [(VIEW_USERS,), (CHANGE_USERS,), (VIEW_USERS, LOG_OUT)])
def test_who_may_not_is_not_offered_the_action_and_cannot_post_it(
    staff: Callable[..., Client], user: Any, phone: Device, permissions: tuple[str, ...]
) -> None:
    client = staff(*permissions)
    assert 'value="log_out_selected"' not in client.get(list_page()).content.decode()

    press(client, [user], jwt_revoke_confirmed="yes")

    assert phone.standing == "live"


def test_the_action_is_refused_when_one_of_the_selected_is_guarded(
    staff: Callable[..., Client], boss: Any, user: Any, phone: Device
) -> None:
    client = staff(CHANGE_USERS, LOG_OUT)

    response = press(client, [user, boss], "guards-superusers", jwt_revoke_confirmed="yes")

    assert response.status_code == 403
    assert phone.standing == "live"


def test_the_action_without_the_csrf_token_is_refused(boss: Any, user: Any, phone: Device) -> None:
    client = browser_of(boss, enforce_csrf_checks=True)

    response = press(client, [user], jwt_revoke_confirmed="yes")

    assert response.status_code == 403
    assert phone.standing == "live"
