"""The page at /devices/ by Django's session, with no JavaScript; and its list in the page at /."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.people import AccountPage, DevicePage, password_of

Opens = Callable[..., DevicePage]

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def account(new_context: Callable[..., BrowserContext]) -> Iterator[Callable[..., AccountPage]]:
    """Opens the page of somebody who has signed in on a phone."""
    with ExitStack() as stack:

        def open_page(username: str, **options: Any) -> AccountPage:
            context = new_context(java_script_enabled=False, **options)
            answer = context.request.post(
                "/api/auth/token/",
                data={"username": username, "password": password_of(username), "device": "Phone"},
                headers={"User-Agent": PHONE},
            )
            assert answer.ok, answer.status
            body = {"refresh": answer.json()["refresh"]}
            stack.callback(context.request.post, "/api/auth/logout/", data=body)
            page = AccountPage(context.new_page())
            page.log_in(username)
            return page

        yield open_page


def test_a_device_is_renamed_without_javascript(account: Callable[..., AccountPage]) -> None:
    page = account("alice")
    row = page.row("Phone")
    expect(row).to_contain_text("Safari, iPhone")
    row.get_by_text("Rename").click()
    row.get_by_label("Name of the device").fill("Lost")
    row.get_by_role("button", name="Save").click()
    page.expect_said("Renamed to Lost.")
    expect(page.row("Lost")).to_be_visible()


def test_a_name_that_will_not_do_is_said_beside_it(account: Callable[..., AccountPage]) -> None:
    page = account("alice")
    row = page.row("Phone")
    row.get_by_text("Rename").click()
    row.get_by_label("Name of the device").fill("  ")
    row.get_by_role("button", name="Save").click()
    expect(page.row("Phone").get_by_role("alert")).to_have_text("This field is required.")


def test_a_device_is_ended_without_javascript(account: Callable[..., AccountPage]) -> None:
    page = account("bob")
    page.row("Phone").get_by_role("button", name="End").click()
    page.expect_said("“Phone” is logged out.")
    expect(page.rows).to_have_count(0)


def test_everywhere_asks_once_more_first(account: Callable[..., AccountPage]) -> None:
    page = account("bob")
    everywhere = page.page.get_by_role("button", name="Log out everywhere")
    expect(everywhere).to_be_hidden()
    page.page.get_by_text("Log out everywhere").first.click()
    everywhere.click()
    page.expect_said("You are logged out on every device.")
    expect(page.page.get_by_text("No device is signed in.")).to_be_visible()
    page.page.get_by_role("button", name="Log out").click()
    expect(page.page.get_by_role("heading", level=1)).to_have_text("Sign in")


def test_it_all_goes_by_keyboard(account: Callable[..., AccountPage]) -> None:
    page = account("mallory")
    keyboard = page.page.keyboard
    rename = page.row("Phone").get_by_text("Rename")
    page.page.get_by_role("button", name="Log out", exact=True).focus()
    for _ in range(6):
        keyboard.press("Tab")
        if rename.evaluate("element => element === document.activeElement"):
            break
    expect(rename).to_be_focused()
    keyboard.press("Enter")
    keyboard.press("Tab")
    expect(page.row("Phone").get_by_label("Name of the device")).to_be_focused()
    keyboard.press("Control+A")
    keyboard.type("By keyboard")
    keyboard.press("Enter")
    page.expect_said("Renamed to By keyboard.")
    page.row("By keyboard").get_by_role("button", name="End").focus()
    keyboard.press("Space")
    page.expect_said("“By keyboard” is logged out.")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_phone_scrolls_only_downwards(
    account: Callable[..., AccountPage], scheme: str, screenshots: Path
) -> None:
    page = account("admin", viewport={"width": 320, "height": 640}, color_scheme=scheme)
    assert page.sideways() <= 0
    page.picture(screenshots / f"devices-{scheme}.png")
    row = page.row("Phone")
    row.get_by_text("Rename").click()
    page.page.get_by_text("Log out everywhere").first.click()
    assert page.sideways() <= 0
    row.get_by_label("Name of the device").fill("W" * 100)
    row.get_by_role("button", name="Save").click()
    page.expect_said("Renamed")
    assert page.sideways() <= 0


def test_the_page_with_tokens_leads_here(device: Opens) -> None:
    page = device("bob", "With tokens")
    page.page.get_by_role("link", name="without JavaScript").click()
    expect(page.page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.open()


def test_a_poll_takes_no_open_rename_away(device: Opens) -> None:
    page = device("mallory", "Typing")
    page.session("Typing").get_by_text("Rename").click()
    field = page.page.get_by_role("textbox", name="Name of the device")
    expect(field).to_be_focused()
    page.page.keyboard.type("Half a na")
    device("mallory", "Another")
    expect(page.page.locator("#count")).to_have_text("2 devices")  # the list was fetched anew
    expect(field).to_be_focused()
    expect(field).to_have_value("Half a na")
    page.page.keyboard.press("Escape")
    expect(field).to_be_hidden()
    expect(page.session("Typing").get_by_text("Rename")).to_be_focused()


def test_what_was_renamed_elsewhere_is_shown(device: Opens) -> None:
    first = device("mallory", "Before")
    second = device("mallory", "Other")
    first.session("Other").get_by_text("Rename").focus()
    second.session("Other").get_by_text("Rename").click()
    second.page.get_by_role("textbox", name="Name of the device").fill("After")
    second.page.keyboard.press("Enter")
    expect(second.session("After").get_by_text("Rename")).to_be_focused()
    expect(first.session("After").get_by_text("Rename")).to_be_focused()


def test_a_mistake_is_said_where_it_was_made(device: Opens) -> None:
    page = device("mallory", "Named")
    page.session("Named").get_by_text("Rename").click()
    page.page.get_by_role("textbox", name="Name of the device").fill("  ")
    page.page.keyboard.press("Enter")
    expect(page.session("Named").get_by_role("alert")).to_have_text("This field is required.")
    expect(page.page.get_by_role("textbox", name="Name of the device")).to_be_focused()


def test_a_script_in_a_name_is_text(device: Opens) -> None:
    """A page with tokens puts the list's HTML in; its own policy would stop what got through,
    which ``new_context`` takes for a failure too."""
    script = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    page = device("mallory", script)
    expect(page.session(script)).to_be_visible()
    expect(page.page.locator("#sessions :is(img, script)")).to_have_count(0)
