"""The red button, pressed by a superuser with and without a mouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import served
from tests.browser.people import AdminPage, DevicePage, tab_to

EVERYONE = "/admin/jwt_revoke/revocation/everyone/"
TITLE = "Log everybody out"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site of its own: whoever was on the one that tests share would be logged out of it."""
    with served(tmp_path_factory.mktemp("site")) as address:
        yield address


def test_everybody_is_logged_out_by_mouse(
    device: Callable[..., DevicePage], admin: AdminPage, screenshots: Path
) -> None:
    phone, laptop = device("alice", "Phone"), device("bob", "Laptop")
    page = admin.page
    page.goto("/admin/")
    page.locator("#content").get_by_role("link", name=TITLE, exact=True).click()
    content = page.locator("#content")
    expect(content).to_contain_text("2 live sessions are affected.")
    admin.picture(screenshots / "admin-everyone.png")

    content.get_by_role("button", name=TITLE).click()
    expect(page).to_have_url(EVERYONE)  # the browser asks for the word first
    content.get_by_label("confirm").fill("everybody")
    content.get_by_role("button", name=TITLE).click()
    expect(content).to_contain_text("This is not “everyone”. Nobody was logged out.")
    phone.expect_let_in()

    content.get_by_label("Note").fill("Drill")
    content.get_by_label("confirm").fill("Everyone")
    content.get_by_role("button", name=TITLE).click()
    expect(page.locator(".messagelist")).to_contain_text("Everybody is logged out")
    phone.expect_ended()
    laptop.expect_ended()
    page.reload()
    entries = page.locator("#result_list tbody tr").filter(has_text="Drill")
    expect(entries).to_have_count(1)  # to reload is not to repeat


def test_access_tokens_are_revoked_by_keyboard(
    device: Callable[..., DevicePage], admin: AdminPage
) -> None:
    phone = device("alice", "Phone")
    page = admin.page
    page.goto("/admin/")
    tab_to(page, TITLE)
    page.keyboard.press("Enter")

    tab_to(page, "Mark the key as compromised")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="End the sessions")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="Revoke the access tokens")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.type("Maint")
    page.keyboard.press("Tab")
    page.keyboard.type("New claims")
    page.keyboard.press("Tab")
    page.keyboard.type("everyone")
    tab_to(page, TITLE)
    page.keyboard.press("Space")

    expect(page.locator(".messagelist")).to_contain_text("All access tokens are revoked")
    newest = page.locator("#result_list tbody tr").first
    for words in ["everyone", "access", "Maintenance", "New claims"]:
        expect(newest).to_contain_text(words, ignore_case=True)
    phone.expect_refreshed()
