"""The panel on a user's page: one device is seen, and ended, and the others are left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.people import AdminPage, DevicePage, tab_to

Opens = Callable[..., DevicePage]


def panel_of(admin: AdminPage) -> Locator:
    return admin.page.get_by_role("region", name="Sessions and revocations")


def row_of(admin: AdminPage, device: str) -> Locator:
    table = panel_of(admin).get_by_role("table", name="Live sessions")
    named = admin.page.get_by_role("rowheader", name=device, exact=True)
    return table.get_by_role("row").filter(has=named)


def test_one_session_is_ended_from_the_user_s_page(
    device: Opens, admin: AdminPage, screenshots: Path
) -> None:
    lost, kept = device("mallory", "Lost phone"), device("mallory", "Laptop")
    admin.open_user("mallory")
    panel_of(admin).scroll_into_view_if_needed()
    admin.picture(screenshots / "admin-user-panel.png")

    row_of(admin, "Lost phone").get_by_role("link", name="End").click()
    expect(admin.page.get_by_text("This session of “mallory” will end.")).to_be_visible()
    admin.page.get_by_label("Reason").select_option(label="Device lost or stolen")
    admin.page.get_by_label("Note").fill("Left in a taxi")
    lost.expect_let_in()  # to ask is not to do
    admin.page.get_by_role("button", name="End the session").click()

    expect(admin.page.locator(".messagelist")).to_contain_text("The session on “Lost phone”")
    expect(row_of(admin, "Lost phone")).to_have_count(0)
    expect(row_of(admin, "Laptop")).to_be_visible()
    told = panel_of(admin).get_by_role("table", name="Last revocations").get_by_role("row").nth(1)
    expect(told).to_contain_text("Lost phone")
    expect(told).to_contain_text("Device lost or stolen")
    expect(told).to_contain_text("Left in a taxi")
    lost.expect_ended()
    kept.expect_let_in()


def test_it_is_done_by_keyboard_as_well(device: Opens, admin: AdminPage) -> None:
    phone = device("mallory", "Phone")
    admin.open_user("mallory")

    admin.page.get_by_role("button", name="Save", exact=True).focus()  # the last of the form
    tab_to(admin.page, "End the session on Phone")
    admin.page.keyboard.press("Enter")
    tab_to(admin.page, "End the session")
    admin.page.keyboard.press("Enter")

    expect(admin.page.locator(".messagelist")).to_contain_text("The session on “Phone” is ended.")
    phone.expect_ended()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_window_scrolls_the_tables_and_not_the_page(
    device: Opens, admin: AdminPage, scheme: str
) -> None:
    device("mallory", "Phone")
    page = admin.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 320, "height": 720})
    admin.open_user("mallory")
    page.locator("#jwt-revoke-panel").scroll_into_view_if_needed()

    end = row_of(admin, "Phone").get_by_role("link", name="End")
    expect(end).to_be_in_viewport()  # without scrolling sideways
    panel = panel_of(admin).bounding_box()
    assert panel is not None
    assert panel["x"] >= 0
    assert panel["x"] + panel["width"] <= 320
