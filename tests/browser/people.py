"""The two pages as those who use them see them: by labels, buttons and words."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import APIRequestContext, Dialog, Locator, Page, expect

MOST_TABS = 80


SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def log_out(request: APIRequestContext, refresh: str) -> None:
    answer = request.post("/api/auth/logout/", data={"refresh": refresh})
    assert answer.status == 204, answer.status


def password_of(username: str) -> str:
    return f"{username}-pw-2026"


class DevicePage:
    """The page at / on one device."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.form = page.locator("#sign-in")
        self.calls = page.locator("#log li")

    def open(self) -> None:
        self.page.goto("/")

    def sign_in(self, username: str, name: str = "", password: str = "") -> None:
        self.form.get_by_label("User name").fill(username)
        self.form.get_by_label("Password").fill(password or password_of(username))
        self.form.get_by_label("Device name").fill(name)
        self.form.get_by_role("button", name="Sign in").click()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def session(self, name: str) -> Locator:
        return self.page.get_by_role("listitem").filter(has=self.page.get_by_text(name, exact=True))

    def expect_let_in(self) -> None:
        expect(self.page.get_by_role("heading", level=1, name="Let in")).to_be_visible()

    def expect_refreshed(self) -> None:
        expect(self.page.get_by_role("heading", level=1, name="Refreshed")).to_be_visible()

    def expect_ended(self) -> None:
        expect(self.page.get_by_text("Signed out: this session was ended.")).to_be_visible()
        expect(self.form).to_be_visible()

    def expect_devices(self, *names: str) -> None:
        shown = self.page.locator("#sessions .jwt-revoke-name")
        expect(shown).to_have_count(len(names))
        for name in names:
            expect(self.session(name)).to_be_visible()

    def expect_call(self, *words: str) -> None:
        found = self.calls
        for word in words:
            found = found.filter(has_text=word)
        expect(found.first).to_be_visible()

    def leave(self) -> None:
        if refresh := self.refresh_token():
            log_out(self.page.context.request, refresh)

    def refresh_token(self) -> str | None:
        held = self.page.evaluate("JSON.parse(sessionStorage.getItem('jwt-revoke-example'))")
        return held and str(held["refresh"])

    def sideways(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate(SIDEWAYS))

    def picture(self, path: Path) -> None:
        self.page.screenshot(path=path, full_page=True, animations="disabled")


class AccountPage:
    """The page at /devices/, by Django's session."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.rows = page.locator("[data-session]")

    def log_in(self, username: str) -> None:
        self.page.goto("/devices/")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(password_of(username))
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Where you are signed in")

    def row(self, name: str) -> Locator:
        return self.rows.filter(has=self.page.get_by_text(name, exact=True))

    def expect_said(self, words: str) -> None:
        expect(self.page.get_by_role("status")).to_contain_text(words)

    def sideways(self) -> int:
        """By how many pixels the page is wider than the window."""
        self.page.wait_for_load_state()  # its style sheet comes after its text
        return int(self.page.evaluate(SIDEWAYS))

    def picture(self, path: Path) -> None:
        self.page.screenshot(path=path, full_page=True, animations="disabled")


class AdminPage:
    """The admin, logged in as the administrator."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.on("dialog", refuse)

    def log_in(self) -> None:
        self.page.goto("/admin/")
        self.page.get_by_label("Username").fill("admin")
        self.page.get_by_label("Password").fill(password_of("admin"))
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("link", name="Users", exact=True).first).to_be_visible()

    def open_user(self, username: str) -> None:
        self.page.goto(f"/admin/accounts/user/?q={username}")
        self.page.locator("#result_list").get_by_role("link", name=username, exact=True).click()
        expect(self.page.get_by_label("Username")).to_have_value(username)

    def set_role(self, username: str, role: str) -> None:
        self.open_user(username)
        self.page.get_by_role("combobox", name="Role").select_option(label=role)
        self.page.get_by_role("button", name="Save", exact=True).click()
        expect(self.page.locator(".messagelist")).to_contain_text("changed successfully")

    def ask_to_log_out_everywhere(self) -> None:
        self.page.locator(".object-tools").get_by_role("link", name="Log out everywhere").click()

    def confirm(self) -> None:
        content = self.page.locator("#content")
        content.get_by_role("button", name=re.compile("log out", re.IGNORECASE)).click()

    def picture(self, path: Path) -> None:
        self.page.screenshot(path=path, animations="disabled")


def refuse(dialog: Dialog) -> None:
    raise AssertionError(f"The admin asked in a dialog: {dialog.message}")


def tab_to(page: Page, name: str, within: str = "#content") -> None:
    """Press Tab until what is called ``name`` has the focus, and that can be seen."""
    wanted = page.locator(within).get_by_role("link", name=name, exact=True)
    wanted = wanted.or_(page.locator(within).get_by_role("button", name=name, exact=True))
    for _press in range(MOST_TABS):
        page.keyboard.press("Tab")
        if wanted.and_(page.locator(":focus")).count():
            return
    raise AssertionError(f"{name} cannot be reached by the keyboard")
