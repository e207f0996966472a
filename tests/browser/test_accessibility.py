"""Each page of ours, in light and dark, on a narrow window, and without JavaScript.

What Django's admin puts around a page is its own: its parts are not looked at here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cryptography.fernet import Fernet
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests import services
from tests.browser import axe
from tests.browser.conftest import served
from tests.browser.people import AdminPage, DevicePage, log_out, password_of
from tests.services.starting import started

NARROW = 320
CROWD = """
from django.contrib.auth import get_user_model
User = get_user_model()
User.objects.bulk_create(User(username=f"crowd-{number:04}") for number in range(1100))
"""
OURS = "/admin/jwt_revoke"
ALICE = "/admin/accounts/user/?q=alice"
KEYS = f"{OURS}/signingkey/"
# Not the search field and the links of the filters, which are as on every list of Django's.
LIST = ("#changelist-form",)


@dataclass(frozen=True)
class Opened:
    """A page: where it is, or the way there; what of it is ours, and words of it."""

    way: str | Callable[[Page], None]
    words: str
    ours: tuple[str, ...] = ("#content",)
    needs_javascript: bool = False


def click_through(start: str, *parts: str) -> Callable[[Page], None]:
    """From there, by the first link of the content whose address has the part; and so on."""

    def follow(page: Page) -> None:
        page.goto(start)
        for part in parts:
            page.goto(str(page.locator(f"#content a[href*='{part}']").first.get_attribute("href")))

    return follow


def select_the_crowd(page: Page) -> None:
    page.goto("/admin/accounts/user/?q=crowd")
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Select all 1100 users").click()
    page.get_by_label("Action:").select_option("log_out_selected")
    page.locator(".actions button[type=submit]").click()


def begin_with_the_crowd(page: Page) -> None:
    page.route("**/run.js", lambda route: route.abort())  # else it is gone before it is looked at
    select_the_crowd(page)
    page.get_by_role("button", name="Log out everywhere").click()


def sign_in(page: Page) -> None:
    device = DevicePage(page)
    device.open()
    device.sign_in("bob", "Desk")
    device.expect_let_in()


PAGES = {
    "the page": Opened("/", "Sign in", ("body",), needs_javascript=True),
    "the page, signed in": Opened(sign_in, "Desk", ("body",), needs_javascript=True),
    "devices": Opened("/devices/", "Phone", ("body",)),
    "user": Opened(
        click_through(ALICE, "/change/"), "Live sessions", (".object-tools", ".jwt-revoke-panel")
    ),
    "log out": Opened(click_through(ALICE, "/change/", "/log-out-everywhere/"), "Phone"),
    "end a session": Opened(click_through(ALICE, "/change/", "/end/"), "IP address"),
    "log out many": Opened(select_the_crowd, "1,100", needs_javascript=True),
    "progress": Opened(begin_with_the_crowd, "1,000 of 1,100", needs_javascript=True),
    "sessions": Opened(f"{OURS}/devicesession/", "Phone", LIST),
    "session": Opened(click_through(f"{OURS}/devicesession/", "/change/"), "User agent"),
    # One page of it: the links to many are too wide for a narrow window in Django 6.1 itself.
    "log": Opened(
        f"{OURS}/revocation/?reason=logout",
        "Logged out",
        (*LIST, ".object-tools", ".jwt-revoke-filter"),
    ),
    "revocation": Opened(click_through(f"{OURS}/revocation/", "/change/"), "Logged out"),
    "last day": Opened(f"{OURS}/?period=24h", "Live sessions"),
    "last week": Opened(f"{OURS}/?period=7d", "Live sessions"),
    "last month": Opened(f"{OURS}/?period=30d", "Live sessions"),
    "everyone": Opened(f"{OURS}/revocation/everyone/", "This cannot be undone."),
    "keys": Opened(KEYS, "HS256"),
    "create a key": Opened(click_through(KEYS, "/create/"), "A new key is stored"),
    "rotate": Opened(click_through(KEYS, "/rotate/"), "A new key is stored"),
    "compromised": Opened(click_through(KEYS, "/compromised/"), "cannot be undone"),
    "processes": Opened(f"{OURS}/replicaprocess/", "replica process", LIST),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example project with something to see on each page."""
    own = {
        "DJANGO_SETTINGS_MODULE": "tests.browser.stored_keys",
        "BROWSER_KEY_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        "JWT_REVOKE_BACKEND": "replica",
    }
    with served(tmp_path_factory.mktemp("site"), CROWD, **own) as address:
        yield address


@pytest.fixture(scope="module")
def cookies(browser: Browser, site: str) -> Any:
    """The administrator's; alice has a phone, and had a tablet."""
    with browser.new_context(base_url=site, locale="en-US") as context:
        for username, device in [("admin", "Phone"), ("alice", "Phone"), ("alice", "Tablet")]:
            body = {"username": username, "password": password_of(username), "device": device}
            answer = context.request.post("/api/auth/token/", data=body)
            assert answer.ok, answer.status
        headers = {"Authorization": f"Bearer {answer.json()['access']}"}
        assert context.request.get("/api/ping/", headers=headers).ok  # so a process is at work
        log_out(context.request, answer.json()["refresh"])
        AdminPage(context.new_page()).log_in()
        return context.storage_state()


@pytest.fixture(scope="module")
def context(browser: Browser, site: str, cookies: Any) -> Iterator[BrowserContext]:
    with browser.new_context(base_url=site, locale="en-US", storage_state=cookies) as context:
        yield context


@pytest.fixture(scope="module")
def without_javascript(browser: Browser, site: str, cookies: Any) -> Iterator[BrowserContext]:
    options: dict[str, Any] = {"locale": "en-US", "java_script_enabled": False}
    with browser.new_context(base_url=site, storage_state=cookies, **options) as context:
        yield context


@pytest.fixture(scope="module")
def axe_core() -> Iterator[str]:
    with started(services.node(axe.PACKAGE)) as node:
        yield axe.source(node)


@pytest.fixture(scope="module", params=PAGES)
def wanted(request: pytest.FixtureRequest) -> Opened:
    return PAGES[request.param]


@pytest.fixture(scope="module")
def page(context: BrowserContext, wanted: Opened) -> Iterator[Page]:
    """That page, opened once for all that is asked of it."""
    page = context.new_page()
    open_page(page, wanted)
    yield page
    page.close()


def open_page(page: Page, wanted: Opened) -> None:
    if callable(wanted.way):
        wanted.way(page)
    else:
        page.goto(wanted.way)
    expect(page.get_by_text(wanted.words).filter(visible=True).first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, wanted: Opened, axe_core: str, scheme: Any) -> None:
    page.evaluate(axe_core)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    found = axe.violations(page, *wanted.ours)
    assert not found, "\n".join(found)


def test_a_narrow_window_is_never_scrolled_sideways(page: Page) -> None:
    page.set_viewport_size({"width": NARROW, "height": 640})

    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wider) <= 0


@pytest.mark.parametrize("name", [n for n, p in PAGES.items() if not p.needs_javascript])
def test_a_page_says_all_without_javascript(without_javascript: BrowserContext, name: str) -> None:
    page = without_javascript.new_page()
    open_page(page, PAGES[name])
    page.close()
