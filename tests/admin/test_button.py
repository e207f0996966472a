"""“Log out everywhere” stands on the change page of any registered admin of the user model."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from jwt_revoke.admin import connect
from jwt_revoke.admin.logout import log_out_selected
from tests.admin.conftest import change_page, list_page, log_out_page
from tests.admin.sites import SITES, NoActions, OwnActions

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

    assert actions == [log_out_selected]


def test_the_equipped_admins_pass_django_s_checks() -> None:
    for site in [django_admin.site, *SITES.values()]:
        assert site.check(None) == []
