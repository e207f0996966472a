"""The revocation log as an administrator reads it: filtered, and taken home as a file."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import AdminPage, log_out, password_of

LOG = "/admin/jwt_revoke/revocation/"
FORMULA = '=HYPERLINK("https://example.com")'


@pytest.fixture
def entries(admin: AdminPage) -> None:
    """Bob signs out of one device; another is ended by the administrator, who notes something."""
    page = admin.page
    sessions = []
    for device in ["Tablet", "Phone"]:
        answer = page.context.request.post(
            "/api/auth/token/",
            data={"username": "bob", "password": password_of("bob"), "device": device},
        )
        assert answer.ok, answer.status
        sessions.append(answer.json())
    log_out(page.context.request, sessions[0]["refresh"])
    admin.open_user("bob")
    admin.ask_to_log_out_everywhere()
    page.get_by_label("Note").fill(FORMULA)
    admin.confirm()
    expect(page.locator(".messagelist")).to_be_visible()


def rows(page: Page) -> list[str]:
    return page.locator("#result_list tbody tr").all_inner_texts()


def sideways(page: Page) -> int:
    return int(
        page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    )


def downloaded(page: Page, link: str) -> tuple[str, str]:
    """The name that the browser gives the file, and what is in it."""
    with page.expect_download() as download:
        page.get_by_role("link", name=link, exact=True).click()
    return download.value.suggested_filename, Path(download.value.path()).read_text("utf-8")


def test_the_log_is_filtered_and_exported(
    admin: AdminPage, entries: None, screenshots: Path
) -> None:
    page = admin.page
    page.goto(f"{LOG}?q=bob")
    filters = page.locator("#changelist-filter")
    assert len(rows(page)) >= 2

    filters.get_by_role("link", name="Me", exact=True).click()
    expect(filters.locator("li.selected").filter(has_text="Me")).to_be_visible()
    today = datetime.now(UTC).date()
    filters.get_by_label("From").fill(str(today - timedelta(days=1)))
    filters.get_by_label("To").fill(str(today + timedelta(days=1)))
    filters.get_by_label("To").press("Enter")
    expect(filters.get_by_label("From")).to_have_value(str(today - timedelta(days=1)))
    assert "q=bob" in page.url
    shown = rows(page)
    assert shown
    assert all(row.split("\t").count("admin") == 1 for row in shown)
    admin.picture(screenshots / "admin-log.png")

    name, text = downloaded(page, "Export CSV")
    assert re.fullmatch(r"revocations-\d{4}-\d\d-\d\d\.csv", name)
    lines = list(csv.DictReader(text.removeprefix("\ufeff").splitlines()))
    assert len(lines) == len(shown)
    assert lines[0]["note"] == f"'{FORMULA}"

    name, text = downloaded(page, "Export JSON lines")
    assert name.endswith(".jsonl")
    objects = [json.loads(line) for line in text.splitlines()]
    assert [entry["uid"] for entry in objects] == [line["uid"] for line in lines]
    assert objects[0]["note"] == FORMULA


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_filters_work_without_a_script_on_a_phone(
    new_context: Callable[..., object], entries: None, screenshots: Path, scheme: str
) -> None:
    admin = AdminPage(
        new_context(
            viewport={"width": 320, "height": 700}, java_script_enabled=False, color_scheme=scheme
        ).new_page()
    )
    admin.log_in()
    page = admin.page
    page.goto(LOG)

    page.get_by_label("User’s exact name or key").fill("admin")
    page.get_by_label("User’s exact name or key").press("Enter")

    expect(page.locator("#changelist-filter li.selected").filter(has_text="admin")).to_be_visible()
    assert rows(page)
    page.screenshot(path=screenshots / f"admin-log-phone-{scheme}.png", full_page=True)
