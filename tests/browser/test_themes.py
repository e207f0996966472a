"""The button, and all our pages, on Django's own admin and on three that replace its templates."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import APIRequestContext, Browser, BrowserContext, Locator, Page, expect

from tests.browser.conftest import served
from tests.browser.people import password_of, tab_to

THEMES = ["django", "unfold", "jazzmin", "grappelli"]
BUTTON = "Log out everywhere"
# An icon of django-unfold's is a word, drawn as a picture.
LINKS = {"unfold": f"logout {BUTTON}"}
LOOKS = ["color", "backgroundColor", "fontSize", "fontWeight", "lineHeight", "padding", "opacity"]
PAGES = {
    "/admin/jwt_revoke/": "Live sessions",
    "/admin/jwt_revoke/devicesession/": "Alice’s phone",
    "/admin/jwt_revoke/revocation/?reason=role_changed": "Role changed",
    "/admin/jwt_revoke/revocation/everyone/": "This cannot be undone.",
    "/admin/jwt_revoke/signingkey/": "HS256",
    "/admin/jwt_revoke/replicaprocess/": "Replica processes",
}
"""And what each says."""
# Nobody of the demo is: the one may look at users, and not change them.
LOOKER = """
from django.contrib.auth.models import Permission
from example_project.accounts.models import User
looker = User.objects.get(username="mallory")
looker.is_staff = True
looker.save()
looker.user_permissions.add(Permission.objects.get(codename="view_user"))
"""


@pytest.fixture(scope="module", params=THEMES)
def theme(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def site(theme: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example project in that dress, with a database of its own."""
    settings = {"DJANGO_SETTINGS_MODULE": f"tests.browser.themes.{theme}"}
    settings = {} if theme == "django" else settings
    with served(tmp_path_factory.mktemp(theme), LOOKER, **settings) as address:
        yield address


@pytest.fixture(scope="module")
def logged_in(browser: Browser, site: str) -> Any:
    """The administrator's cookies."""
    with browser.new_context(base_url=site) as context:
        log_in(context.new_page(), "admin")
        return context.storage_state()


@pytest.fixture
def page(new_context: Callable[..., BrowserContext], logged_in: Any) -> Page:
    """The admin, as the administrator has it."""
    viewport = {"width": 1280, "height": 800}
    return new_context(viewport=viewport, storage_state=logged_in).new_page()


@pytest.fixture
def phone(page: Page) -> str:
    """A refresh token of alice's."""
    return sign_in(page.request)


def log_in(page: Page, username: str) -> None:
    page.goto("/admin/")
    page.locator("[name=username]").fill(username)
    page.locator("[name=password]").fill(password_of(username))
    page.locator("[name=password]").press("Enter")
    page.wait_for_function("!document.querySelector('[name=username]')")


def sign_in(request: APIRequestContext) -> str:
    alice = {"username": "alice", "password": password_of("alice"), "device": "Alice’s phone"}
    answer = request.post("/api/auth/token/", data=alice)
    assert answer.ok, answer.status
    return str(answer.json()["refresh"])


def lives(page: Page, refresh: str) -> bool:
    """Whether the session does: its newest token, or the one before, is taken."""
    answer = page.request.post("/api/auth/token/refresh/", data={"refresh": refresh})
    return answer.status == 200


def address_of_alice(page: Page) -> str:
    page.goto("/admin/accounts/user/?q=alice")
    link = page.get_by_role("link", name="alice", exact=True).first
    return str(link.get_attribute("href")).partition("?")[0]


def open_user(page: Page, theme: str) -> Locator:
    """The button on alice's page."""
    page.goto(address_of_alice(page))
    return page.get_by_role("link", name=LINKS.get(theme, BUTTON), exact=True)


def look(link: Locator) -> dict[str, str]:
    script = "(link, names) => names.map((name) => [name, getComputedStyle(link)[name]])"
    return dict(link.evaluate(script, LOOKS))


def test_the_button_is_one_of_the_theme_s_own_and_works_by_mouse(
    page: Page, phone: str, theme: str, screenshots: Path
) -> None:
    button = open_user(page, theme)

    expect(button).to_be_visible()
    assert look(button) == look(page.get_by_role("link", name="History", exact=False).first)
    page.screenshot(path=screenshots / f"theme-{theme}.png", animations="disabled")
    button.click()
    expect(page.locator("#content-main")).to_contain_text("Alice’s phone")
    assert lives(page, phone)  # to ask is not to do
    page.get_by_role("button", name=BUTTON, exact=True).click()
    expect(page.get_by_text("“alice” is logged out everywhere.")).to_be_visible()
    assert not lives(page, phone)


def test_the_button_works_by_keyboard(page: Page, phone: str, theme: str) -> None:
    open_user(page, theme)

    tab_to(page, LINKS.get(theme, BUTTON), within="body")
    page.keyboard.press("Enter")
    expect(page.locator("#content-main")).to_contain_text("Alice’s phone")
    tab_to(page, BUTTON, within="body")
    page.keyboard.press("Space")
    expect(page.get_by_text("“alice” is logged out everywhere.")).to_be_visible()
    assert not lives(page, phone)


def test_the_list_s_action_logs_out_whom_one_selects(page: Page, phone: str, theme: str) -> None:
    page.goto("/admin/accounts/user/")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="alice", exact=True))
    row.get_by_role("checkbox").check(force=theme == "unfold")  # it draws a box over the box
    page.locator("select[name=action]").select_option("log_out_selected")
    page.locator("[name=index]").click()
    expect(page.get_by_role("button", name=BUTTON, exact=True)).to_be_visible()
    assert lives(page, phone)
    page.get_by_role("button", name=BUTTON, exact=True).click()
    expect(page.get_by_text("1 user is logged out everywhere.")).to_be_visible()
    assert not lives(page, phone)


def test_who_may_only_look_at_a_user_has_no_button_and_is_refused(
    new_context: Callable[..., BrowserContext], page: Page
) -> None:
    alice = address_of_alice(page)
    looker = new_context().new_page()
    log_in(looker, "mallory")

    assert looker.goto(alice).status == 200  # type: ignore[union-attr]  # no page has no answer
    expect(looker.get_by_text(BUTTON)).to_have_count(0)
    refused = looker.request.get(alice.replace("/change/", "/log-out-everywhere/"))
    assert refused.status == 403


def test_our_other_pages_are_there_without_an_error(page: Page, phone: str, theme: str) -> None:
    open_user(page, theme)
    expect(page.locator("#jwt-revoke-panel")).to_be_visible()
    end = page.get_by_role("link", name="Alice’s phone").first
    pages = {str(end.get_attribute("href")): "Its access tokens stop working at once"} | PAGES
    for address, words in pages.items():
        page.goto(address)
        expect(page.get_by_text(words).filter(visible=True).first, address).to_be_visible()
