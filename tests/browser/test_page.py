"""The page at /: each test is something a person does, and what they then see."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Request, Route, expect

from tests.browser.people import AdminPage, DevicePage, password_of

Opens = Callable[..., DevicePage]

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"


def test_signing_in_lets_the_device_in(device: Opens) -> None:
    page = device("alice", "Laptop")
    page.expect_devices("Laptop")
    expect(page.session("Laptop")).to_contain_text("This device")
    page.expect_call("GET", "/api/ping/", "200", "let in")


def test_a_wrong_password_is_said_and_the_address_stays_clean(device: Opens) -> None:
    page = device()
    page.sign_in("alice", password="wrong-password")
    expect(page.form.get_by_role("alert")).not_to_be_empty()
    assert page.page.url.endswith("/")


def test_a_demo_user_is_filled_in_with_one_click(device: Opens) -> None:
    page = device()
    expect(page.page.get_by_role("button", name="admin")).to_contain_text("Superuser")
    page.page.get_by_role("button", name="mallory").click()
    expect(page.form.get_by_label("User name")).to_have_value("mallory")
    expect(page.form.get_by_label("Password")).to_have_value(password_of("mallory"))


def test_a_reload_is_not_a_log_out(device: Opens) -> None:
    page = device("admin", "Reloaded")
    page.page.reload()
    page.expect_let_in()
    expect(page.session("Reloaded")).to_contain_text("This device")


def test_a_session_ended_from_another_device_is_signed_out(device: Opens) -> None:
    first = device("alice", "Keeps")
    second = device("alice", "Lost phone", user_agent=PHONE)
    expect(first.session("Lost phone")).to_be_visible()
    first.session("Lost phone").get_by_role("button", name="End").click()
    second.expect_ended()
    expect(first.session("Lost phone")).to_have_count(0)
    first.expect_let_in()


def test_a_double_click_on_end_ends_one_device_only(device: Opens) -> None:
    page = device("admin", "Clicked")
    device("admin", "One")
    device("admin", "Two")
    ends: list[Request] = []
    page.page.on("request", lambda r: ends.append(r) if "/end/" in r.url else None)
    expect(page.page.locator("[data-session]")).to_have_count(3)
    upper = page.page.locator("[data-session]").nth(1)
    box = upper.get_by_role("button", name="End").bounding_box()
    assert box
    spot = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.page.mouse.click(*spot)
    expect(upper).to_contain_text("Ended")
    expect(page.page.locator("#toast")).to_contain_text("is logged out")
    page.page.mouse.click(*spot)  # the row has stayed where it was
    expect(page.page.locator("[data-session]")).to_have_count(2)
    page.page.mouse.click(*spot)  # it has just gone, and another one is here now
    expect(page.page.locator("#count")).to_have_text("2 devices")
    assert len(ends) == 1


def test_the_pages_own_polling_is_not_news(device: Opens) -> None:
    page = device("bob", "Quiet")
    expect(page.page.locator("#beats .good")).to_have_count(4)
    expect(page.calls).to_have_count(3)  # signed in, let in, and the list of devices
    page.press("/me/")
    page.press("/me/")
    page.expect_call("/api/me/", "200", "×2")
    expect(page.calls).to_have_count(4)


def test_logging_out_here_leaves_the_other_device_alone(device: Opens) -> None:
    first, second = device("bob", "One"), device("bob", "Two")
    first.press("Log out here")
    expect(first.page.get_by_text("You logged out on this device.")).to_be_visible()
    second.expect_devices("Two")
    second.expect_let_in()


def test_logging_out_everywhere_ends_every_device(device: Opens) -> None:
    first, second = device("bob", "One"), device("bob", "Two")
    first.press("Log out everywhere")
    expect(first.page.get_by_text("You logged out on every device.")).to_be_visible()
    second.expect_ended()


def test_logging_out_the_others_keeps_this_device_with_new_tokens(device: Opens) -> None:
    first, second = device("mallory", "Mine"), device("mallory", "Not mine")
    before = first.refresh_token()
    first.press("Log out the others")
    second.expect_ended()
    first.expect_devices("Mine")
    first.expect_let_in()
    assert first.refresh_token() != before


def test_renaming_a_session(device: Opens) -> None:
    page = device("admin", "Old name")
    page.session("Old name").get_by_text("Rename").click()
    page.page.get_by_label("Name of the device").fill("New name")
    page.page.keyboard.press("Enter")
    page.expect_devices("New name")
    page.page.reload()
    page.expect_devices("New name")


def test_changing_the_password_keeps_this_device_and_ends_the_others(device: Opens) -> None:
    first, second = device("mallory", "Here"), device("mallory", "There")
    change_password(first, password_of("mallory"), "a-password-for-a-while")
    second.expect_ended()
    first.expect_devices("Here")
    first.expect_let_in()
    second.sign_in("mallory")
    expect(second.form.get_by_role("alert")).not_to_be_empty()
    change_password(first, "a-password-for-a-while", password_of("mallory"))


def change_password(page: DevicePage, old: str, new: str) -> None:
    page.page.get_by_label("Current password").fill(old)
    page.page.get_by_label("New password").fill(new)
    page.press("Change password")
    expect(page.page.get_by_label("Current password")).to_have_value("")


def test_a_wrong_old_password_is_said_at_its_field_and_signs_nobody_out(device: Opens) -> None:
    page = device("bob")
    page.page.get_by_label("Current password").fill("not-it")
    page.page.get_by_label("New password").fill("a-password-for-a-while")
    page.press("Change password")
    expect(page.page.locator("#old-password-error")).not_to_be_empty()
    page.expect_let_in()


def test_confirming_the_password(device: Opens) -> None:
    page = device("admin")
    page.press("Confirm it is you")
    dialog = page.page.get_by_role("dialog")
    dialog.get_by_label("Password").fill("not-it")
    dialog.get_by_role("button", name="Confirm").click()
    expect(dialog.get_by_role("alert").first).not_to_be_empty()
    dialog.get_by_label("Password").fill(password_of("admin"))
    dialog.get_by_role("button", name="Confirm").click()
    expect(dialog).to_be_hidden()
    page.press("/critical/")
    expect(page.page.locator("#result")).to_contain_text("200")
    page.expect_let_in()


def test_a_view_that_wants_the_password_again_asks_for_it(device: Opens) -> None:
    """RFC 9470: no refresh helps and nobody is signed out. (Five minutes later, by a stand-in.)"""
    page = device("admin")
    body = {"detail": "Confirm.", "code": "insufficient_user_authentication", "max_age": 300}
    page.page.route("**/api/critical/", lambda route: route.fulfill(status=401, json=body))
    page.press("/critical/")
    expect(page.page.get_by_role("dialog").get_by_label("Password")).to_be_visible()
    page.page.unroute("**/api/critical/")
    page.page.get_by_role("dialog").get_by_label("Password").fill(password_of("admin"))
    page.page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.page.locator("#result")).to_contain_text("200")
    page.expect_let_in()


def test_a_changed_role_is_refreshed_silently_and_once(device: Opens, admin: AdminPage) -> None:
    """The page's poll is held up meanwhile, so that three calls find out together."""
    page = device("alice", "Role")
    refreshes: list[Request] = []
    page.page.on("request", lambda r: refreshes.append(r) if "/refresh/" in r.url else None)
    page.page.route("**/api/ping/", hold)
    admin.set_role("alice", "Viewer")
    page.page.evaluate("document.querySelectorAll('[data-try]').forEach((one) => one.click())")
    page.expect_refreshed()
    page.expect_call("401", "stale: refresh and go on")
    page.page.unroute("**/api/ping/", hold)
    page.press("/me/")
    expect(page.page.locator("#result")).to_contain_text('"role":"viewer"')
    assert len(refreshes) == 1
    admin.set_role("alice", "Manager")
    page.expect_refreshed()


def hold(route: Route) -> None:
    """Never answered: the page gives the call up by itself."""


def test_a_duplicated_tab_and_its_original_share_their_refresh_token(device: Opens) -> None:
    """Each on its own would in time present what the other has used up: that is reuse."""
    original = device("bob", "Twice")
    with original.page.context.expect_page() as opened:
        original.page.evaluate("void window.open('/')")
    duplicate = DevicePage(opened.value)
    duplicate.expect_let_in()
    expect(duplicate.session("Twice")).to_contain_text("This device")
    assert duplicate.refresh_token() == original.refresh_token()
    original.press("Log out here")
    duplicate.expect_ended()


def test_no_token_is_ever_on_the_page(device: Opens) -> None:
    page = device()
    with page.page.expect_response("**/api/auth/token/") as answered:
        page.sign_in("bob", "Silent")
    page.expect_let_in()
    tokens = answered.value.json()
    html = page.page.content()
    assert tokens["access"] not in html
    assert tokens["refresh"] not in html
    assert tokens["access"] not in page.page.evaluate("JSON.stringify(sessionStorage)")


def test_signing_in_with_the_keyboard_only(device: Opens) -> None:
    page = device()
    keyboard = page.page.keyboard
    keyboard.press("Tab")
    expect(page.page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    keyboard.press("Enter")
    keyboard.press("Tab")
    expect(page.form.get_by_label("User name")).to_be_focused()
    keyboard.type("admin")
    keyboard.press("Tab")
    keyboard.type(password_of("admin"))
    keyboard.press("Tab")
    keyboard.type("Keys only")
    keyboard.press("Tab")
    expect(page.form.get_by_role("button", name="Sign in")).to_be_focused()
    keyboard.press("Enter")
    page.expect_let_in()
    expect(page.page.get_by_role("heading", level=1, name="Let in")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_phone_scrolls_only_downwards(device: Opens, scheme: str) -> None:
    page = device(viewport={"width": 320, "height": 640}, color_scheme=scheme)
    assert page.sideways() <= 0
    page.sign_in("mallory", "A phone with a very long name indeed, " + "W" * 40)
    page.expect_let_in()
    expect(page.page.locator("[data-session]")).to_have_count(1)
    page.page.get_by_text("Rename").click()
    assert page.sideways() <= 0
    page.page.keyboard.press("Escape")
    page.press("Log out everywhere")
    expect(page.page.get_by_text("You logged out on every device.")).to_be_visible()
    assert page.sideways() <= 0


def test_dark_follows_the_system(device: Opens) -> None:
    page = device(color_scheme="dark")
    ground, ink = page.page.evaluate(
        "(style => [style.backgroundColor, style.color])(getComputedStyle(document.body))"
    )
    assert brightness(ground) < 60
    assert brightness(ink) > 200


def brightness(colour: str) -> float:
    numbers = colour.removeprefix("rgb(").removesuffix(")").split(",")
    return sum(map(float, numbers)) / 3
