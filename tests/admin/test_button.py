"""“Log out everywhere” stands on the change page of any registered admin of the user model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import django
import pytest
from django.contrib import admin as django_admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client, RequestFactory

from jwt_revoke.admin import connect
from jwt_revoke.admin.bulk_logout import log_out_selected
from jwt_revoke.admin.logout import FORM_ACTIONS, log_out_user
from jwt_revoke.testing import Device
from tests.admin.conftest import CHANGE_USERS, LOG_OUT, change_page, list_page, log_out_page
from tests.admin.sites import SITES, NoActions, OwnActions

pytestmark = pytest.mark.once

ACTION = "log_out_selected"


def shows_button(client: Client, user: Any, site: str = "admin", model: str = "member") -> bool:
    page = client.get(change_page(user, site, model))
    assert page.status_code == 200
    return f'href="{log_out_page(user, site, model)}"' in page.content.decode()


@pytest.mark.parametrize(
    "site", ["admin", "second", "again", "own-template", "own-actions", "no-actions"]
)
def test_the_change_page_has_the_button(admin: Client, user: Any, site: str) -> None:
    assert shows_button(admin, user, site)


def test_the_admin_of_a_proxy_of_the_user_has_it_too(admin: Client, user: Any) -> None:
    assert shows_button(admin, user, "proxy", "proxymember")


def test_the_button_stands_beside_the_site_s_own_tools(admin: Client, user: Any) -> None:
    page = admin.get(change_page(user, "own-template")).content.decode()

    assert "Print a badge" in page
    assert "Log out everywhere" in page


def test_an_admin_that_renders_by_itself_has_the_button(admin: Client, user: Any) -> None:
    assert shows_button(admin, user, "own-rendering")


def test_an_admin_with_urls_of_its_own_has_the_button(admin: Client, user: Any) -> None:
    page = admin.get(f"/own-urls/accounts/member/{user.pk}/edit/").content.decode()

    assert log_out_page(user, "own-urls") in page


def test_a_response_that_is_no_template_passes_through(admin: Client, user: Any) -> None:
    page = admin.get(change_page(user, "plain-response"))

    assert page.content == b"nothing to add a link to"


def test_an_admin_that_hides_its_urls_is_left_alone(admin: Client, user: Any) -> None:
    page = admin.get(f"/unreachable/accounts/member/{user.pk}/edit/")

    assert page.status_code == 200
    assert "log-out-everywhere" not in page.content.decode()


def test_the_add_page_has_no_button(admin: Client, user: Any) -> None:
    page = admin.get("/admin/accounts/member/add/")

    assert page.status_code == 200
    assert "Log out everywhere" not in page.content.decode()


@pytest.mark.parametrize("site", ["admin", "own-template", "own-rendering"])
def test_a_popup_shows_no_button(admin: Client, user: Any, site: str) -> None:
    page = admin.get(change_page(user, site) + "?_popup=1")

    assert page.status_code == 200
    assert "Log out everywhere" not in page.content.decode()


def test_a_model_that_is_no_user_has_no_button(admin: Client) -> None:
    group = Group.objects.create(name="editors")

    page = admin.get(f"/admin/auth/group/{group.pk}/change/")

    assert page.status_code == 200
    assert "Log out everywhere" not in page.content.decode()


def test_the_user_list_has_the_action(admin: Client, user: Any) -> None:
    assert f'value="{ACTION}"' in admin.get(list_page()).content.decode()


def test_the_groups_list_works_and_has_no_such_action(admin: Client) -> None:
    """A site-wide action with a permission of its own breaks every other list."""
    Group.objects.create(name="editors")

    page = admin.get("/admin/auth/group/")

    assert page.status_code == 200
    assert ACTION not in page.content.decode()


def test_the_site_s_own_actions_stay(admin: Client, user: Any) -> None:
    page = admin.get(list_page("own-actions")).content.decode()

    assert 'value="greet"' in page
    assert f'value="{ACTION}"' in page
    assert OwnActions.actions == ["greet"]  # the class is not touched


def test_an_admin_without_actions_is_given_none(admin: Client, user: Any) -> None:
    assert ACTION not in admin.get(list_page("no-actions")).content.decode()
    assert NoActions.actions is None


def test_an_admin_is_equipped_once(admin: Client, user: Any) -> None:
    connect()

    actions = SITES["second"].get_model_admin(get_user_model()).actions

    assert actions == [log_out_selected, *FORM_ACTIONS]


def test_the_equipped_admins_pass_django_s_checks() -> None:
    for site in [django_admin.site, *SITES.values()]:
        assert site.check(None) == []


# --- the action of the page of one user, which Django has from 6.1 on

has_form_actions = pytest.mark.skipif(
    django.VERSION < (6, 1), reason="the page of one row has no actions before Django 6.1"
)
FORM_ACTION = "log_out_user"


def run_on_the_form(client: Client, user: Any, site: str = "admin") -> Any:
    fields = {"CHANGE_FORM-action": FORM_ACTION, "_selected_action": user.pk, "index": "0"}
    return client.post(change_page(user, site), fields)


def test_the_action_leads_to_the_page_that_asks_and_does_nothing_itself(
    user: Any, phone: Device, rf: RequestFactory
) -> None:
    request = rf.post("/", {"_selected_action": user.pk})
    model_admin = SITES["second"].get_model_admin(get_user_model())

    response = log_out_user(model_admin, request, get_user_model().objects.none())

    assert response.headers["Location"] == log_out_page(user, "second")
    assert phone.standing == "live"


def test_the_action_is_there_where_django_has_a_place_for_it() -> None:
    assert bool(FORM_ACTIONS) == (django.VERSION >= (6, 1))


@has_form_actions
@pytest.mark.parametrize("site", ["admin", "own-template", "own-actions"])
def test_the_page_of_one_user_has_the_action_beside_the_button(
    admin: Client, user: Any, site: str
) -> None:
    page = admin.get(change_page(user, site)).content.decode()

    assert f'<option value="{FORM_ACTION}">Log out everywhere</option>' in page
    assert shows_button(admin, user, site)
    assert FORM_ACTION not in admin.get(list_page(site)).content.decode()


@has_form_actions
@pytest.mark.parametrize("site", ["admin", "own-actions"])
def test_run_on_the_form_it_leads_to_the_page_that_asks(
    admin: Client, user: Any, phone: Device, site: str
) -> None:
    response = run_on_the_form(admin, user, site)

    assert (response.status_code, response.headers["Location"]) == (302, log_out_page(user, site))
    assert phone.standing == "live"


@has_form_actions
@pytest.mark.parametrize("page", ["no-actions", "popup"])
def test_where_no_actions_are_wanted_there_is_none(admin: Client, user: Any, page: str) -> None:
    pages = {
        "no-actions": change_page(user, "no-actions"),
        "popup": change_page(user) + "?_popup=1",
    }

    assert FORM_ACTION not in admin.get(pages[page]).content.decode()


@has_form_actions
def test_who_may_not_is_not_offered_it(staff: Callable[..., Client], user: Any) -> None:
    client = staff(CHANGE_USERS)

    assert FORM_ACTION not in client.get(change_page(user)).content.decode()
    assert run_on_the_form(client, user).status_code != 302


@has_form_actions
def test_what_the_site_s_admin_guards_is_guarded(staff: Callable[..., Client], boss: Any) -> None:
    client, phone = staff(CHANGE_USERS, LOG_OUT), Device(boss)

    response = run_on_the_form(client, boss, "guards-superusers")

    assert client.get(response.headers["Location"]).status_code == 403
    assert phone.standing == "live"
