"""Everything here goes over HTTP: Playwright's event loop makes Django refuse synchronous ORM."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests import services
from tests.browser.people import AdminPage, DevicePage
from tests.services.server import end_process, free_port
from tests.services.starting import started

ROOT = Path(__file__).resolve().parents[2]
STARTS_WITHIN = 60
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# The page asks every two seconds, and a slow machine may take its time over an answer.
expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.browser)


def new_database(folder: Path) -> str:
    """The address of an empty one: no two sites change one another's demo users."""
    url = os.environ.get("BROWSER_DATABASE_URL", "")
    if not url.startswith("postgres"):
        return f"sqlite:///{folder / 'site.sqlite3'}"
    name = f"browser_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return urlsplit(url)._replace(path=f"/{name}").geturl()


@contextmanager
def served(folder: Path, filled_by: str = "", **environment: str) -> Iterator[str]:
    """The address of the example project, served as a newcomer would serve it.

    ``filled_by``: Python for its shell, which adds what is to be looked at.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    # What tells this test-suite's own Django what to do is none of the site's business.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DJANGO_", "JWT_REVOKE_", "COVERAGE_")) and name != "REDIS_URL"
    }
    own = {
        "DATABASE_URL": new_database(folder),
        "DJANGO_SECRET_KEY": "browser-tests-only-" + "k" * 40,
        "DJANGO_SETTINGS_MODULE": "tests.browser.many_sign_ins",
    }
    whole = inherited | own | environment
    output = folder / "output.txt"
    with output.open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "example_project", "--port", str(port)],
            cwd=ROOT,
            env=whole,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_served(f"{address}/api/open/", server, output)
        if filled_by:
            command = [sys.executable, "example_project/manage.py", "shell", "-c", filled_by]
            subprocess.run(command, cwd=ROOT, env=whole, check=True, capture_output=True)
        yield address
    finally:
        end_process(server)


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site that most tests share."""
    with served(tmp_path_factory.mktemp("site")) as address:
        yield address


@contextmanager
def chromium() -> Iterator[str]:
    yield services.chromium()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with started(chromium()) as executable, sync_playwright() as playwright:
        shown = playwright.chromium.launch(executable_path=executable, args=BROWSER_ARGUMENTS)
        yield shown
        shown.close()


@pytest.fixture
def new_context(browser: Browser, site: str) -> Iterator[Callable[..., BrowserContext]]:
    """A browser profile of its own each: nothing is shared but the server.

    A script error, or anything that the Content-Security-Policy stopped, fails the test.
    """
    problems: list[str] = []
    with contextlib.ExitStack() as stack:

        def new(**options: Any) -> BrowserContext:
            context = browser.new_context(base_url=site, locale="en-US", **options)
            stack.callback(context.close)
            context.on("weberror", lambda error: problems.append(str(error.error)))
            context.on(
                "console",
                lambda message: (
                    problems.append(message.text)
                    if "Content Security Policy" in message.text
                    else None
                ),
            )
            return context

        yield new
    assert problems == []


@pytest.fixture
def device(new_context: Callable[..., BrowserContext]) -> Iterator[Callable[..., DevicePage]]:
    """Opens the page on a new device; with a user name, signed in and let in.

    Afterwards all of them are logged out: the next test begins with no devices.
    """
    pages: list[DevicePage] = []

    def open_device(username: str = "", name: str = "", **options: Any) -> DevicePage:
        page = DevicePage(new_context(**options).new_page())
        pages.append(page)
        page.open()
        if username:
            page.sign_in(username, name)
            page.expect_let_in()
        return page

    yield open_device
    for page in pages:
        page.leave()


@pytest.fixture
def admin(new_context: Callable[..., BrowserContext]) -> AdminPage:
    page = AdminPage(new_context(viewport={"width": 1280, "height": 800}).new_page())
    page.log_in()
    return page


@pytest.fixture
def screenshots(tmp_path: Path) -> Path:
    """Where pictures go: into the docs when they are to be renewed, else away."""
    if os.environ.get("UPDATE_SCREENSHOTS") != "1":
        return tmp_path
    folder = ROOT / "docs" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def wait_until_served(url: str, server: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
            break
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"The example project does not serve {url}:\n{output.read_text()[-4000:]}")
