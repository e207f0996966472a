"""Users logged out everywhere from the admin: one by keyboard, and thousands, a page a step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import served
from tests.browser.people import AdminPage, DevicePage, tab_to

CROWD = """
from django.contrib.auth import get_user_model
User = get_user_model()
User.objects.bulk_create(User(username=f"alice-{number:04}") for number in range(2499))
"""
LIST = "/admin/accounts/user/?q=alice"
"""Alice and the crowd: 2,500."""
STEP = "**/admin/accounts/user/**"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example project with many users, and a database of its own."""
    with served(tmp_path_factory.mktemp("site"), CROWD) as address:
        yield address


@pytest.fixture
def phone(device: Callable[..., DevicePage]) -> DevicePage:
    return device("alice", "Phone")


def ask_about_all(page: Page) -> None:
    """Everybody in the list is selected, and the page that asks is opened."""
    page.goto(LIST)
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Select all 2500 users").click()
    page.get_by_label("Action:").select_option(label="Log out everywhere (selected users)")
    page.locator(".actions button[type=submit]").click()
    expect(page.locator("#content")).to_contain_text("2,500")


def hold_steps(page: Page) -> list[str]:
    """Steps that the page takes by itself are not answered; what they post."""
    held: list[str] = []

    def hold(route: Route) -> None:
        if route.request.resource_type == "fetch":
            held.append(route.request.post_data or "")
        else:
            route.continue_()

    page.route(STEP, hold)
    return held


def test_one_user_by_keyboard(admin: AdminPage, phone: DevicePage) -> None:
    page = admin.page
    page.goto("/admin/accounts/user/?q=alice")
    page.locator("#result_list").get_by_role("link", name="alice", exact=True).press("Enter")
    tab_to(page, "Log out everywhere")
    page.keyboard.press("Enter")

    ending = page.get_by_role("radio", name="End the sessions")
    expect(ending).to_be_checked()
    ending.focus()
    page.keyboard.press("Tab")
    page.keyboard.type("Device lost")  # a select goes by what is typed
    page.keyboard.press("Tab")
    page.keyboard.type("Left in a taxi")
    tab_to(page, "Log out everywhere")
    page.keyboard.press("Enter")

    expect(page.locator(".messagelist")).to_contain_text("“alice” is logged out everywhere.")
    phone.expect_ended()
    page.goto("/admin/jwt_revoke/revocation/?q=alice")
    expect(page.locator("#result_list")).to_contain_text("Left in a taxi")


def test_by_the_effect_access_the_device_goes_on(admin: AdminPage, phone: DevicePage) -> None:
    page = admin.page
    admin.open_user("alice")
    admin.ask_to_log_out_everywhere()
    page.get_by_role("radio", name="Revoke the access tokens").check()
    admin.confirm()

    expect(page.locator(".messagelist")).to_contain_text("devices refresh by themselves")
    phone.expect_call("/api/auth/token/refresh/", "200")
    phone.expect_let_in()


def test_thousands_go_by_themselves(admin: AdminPage, phone: DevicePage) -> None:
    page = admin.page
    ask_about_all(page)
    phone.expect_let_in()  # to ask is not to do

    admin.confirm()

    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator(".messagelist")).to_contain_text("2500 users are logged out everywhere.")
    expect(page).to_have_url(f"{page.url.split('/admin/')[0]}{LIST}")
    phone.expect_ended()


def test_who_stops_by_keyboard_has_stopped(admin: AdminPage, screenshots: Path) -> None:
    page = admin.page
    hold_steps(page)
    ask_about_all(page)
    admin.confirm()
    expect(page.get_by_role("progressbar", name="1,000 of 2,500 users are done.")).to_be_visible()
    expect(page.get_by_text("It goes on by itself.")).to_be_visible()
    expect(page.get_by_role("button", name="Go on")).to_be_disabled()
    admin.picture(screenshots / "admin-progress.png")

    tab_to(page, "Stop")
    page.keyboard.press("Enter")
    expect(page.locator("#result_list")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_count(0)


def test_a_page_that_a_browser_keeps_in_memory_does_not_go_on_when_it_is_shown_again(
    admin: AdminPage,
) -> None:
    page = admin.page
    held = hold_steps(page)
    ask_about_all(page)
    admin.confirm()
    expect(page.get_by_text("It goes on by itself.")).to_be_visible()

    page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', {persisted: true}))")

    expect(page.get_by_text("Each step waits for you to go on.")).to_be_visible()
    steps = len(held)
    page.wait_for_timeout(1000)
    assert len(held) == steps
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("2,000 of 2,500 users are done.")).to_be_visible()


def test_an_answer_that_is_no_step_is_shown_to_the_person(admin: AdminPage) -> None:
    page = admin.page
    refused = []

    def refuse(route: Route) -> None:
        if "1000" in parse_qs(route.request.post_data or "").get("jwt_revoke-done", []):
            refused.append(route.request.resource_type)
            route.fulfill(status=403, content_type="text/html", body="<h1>403 Forbidden</h1>")
        else:
            route.continue_()

    page.route(STEP, refuse)
    ask_about_all(page)
    admin.confirm()

    expect(page.get_by_role("heading", name="403 Forbidden")).to_be_visible()
    assert refused == ["fetch", "document"]


def test_without_scripts_each_step_waits_for_the_person(
    new_context: Callable[..., BrowserContext], phone: DevicePage
) -> None:
    admin = AdminPage(new_context(java_script_enabled=False).new_page())
    admin.log_in()
    page = admin.page
    page.goto(LIST)
    page.locator(".action-select").first.check()
    # Without scripts the admin's own list cannot select across its pages.
    page.locator("input[name=select_across]").evaluate("input => { input.value = '1' }")
    page.get_by_label("Action:").select_option(label="Log out everywhere (selected users)")
    page.locator(".actions button[type=submit]").click()
    admin.confirm()

    for done in ["1,000", "2,000"]:
        expect(page.get_by_text(f"{done} of 2,500 users are done.")).to_be_visible()
        expect(page.get_by_text("Each step waits for you to go on.")).to_be_visible()
        page.get_by_role("button", name="Go on").click()

    expect(page.locator(".messagelist")).to_contain_text("2500 users are logged out everywhere.")
    phone.expect_ended()
