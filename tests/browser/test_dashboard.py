"""The dashboard for whoever has no mouse, a narrow screen, a language from right to left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import served
from tests.browser.people import AdminPage, DevicePage

DASHBOARD = "/admin/jwt_revoke/"
MONTH = """
import random
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.utils import timezone
from jwt_revoke.models import DeviceSession, Revocation, UserTokenState
chance, now = random.Random(7), timezone.now()
alice = get_user_model().objects.get(username="alice")
UserTokenState.objects.create(user=alice, version=1, session_floor=1)
reasons = ["logout"] * 60 + ["password_changed"] * 14 + ["role_changed"] * 9
reasons += ["device_lost"] * 5 + ["session_limit"] * 4 + ["refresh_reused"] * 2
opened, revoked = [], []
for hour in range(24 * 60):
    then = now - timedelta(hours=hour, minutes=7)
    busy = (4 if 8 <= then.hour <= 19 else 1) * (1 if then.weekday() > 4 else 3)
    for _ in range(chance.randint(0, busy)):
        opened.append(DeviceSession(
            user=alice, name="Phone", created_at=then, authenticated_at=then, last_used_at=then,
            idle_expires_at=then + timedelta(days=14), expires_at=then + timedelta(days=90),
            opened_version=2**50, opened_generation=0,
            ended_at=then if chance.random() < 0.5 else None,
        ))
    for _ in range(chance.randint(0, busy) // 2):
        revoked.append(Revocation(
            scope="session", subject=str(hour), effect="session", reason=chance.choice(reasons),
            created_at=then, expires_at=then + timedelta(minutes=5),
        ))
DeviceSession.objects.bulk_create(opened)
Revocation.objects.bulk_create(revoked)
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example project after a month of use, with a database of its own."""
    with served(tmp_path_factory.mktemp("site"), MONTH) as address:
        yield address


@pytest.fixture
def busy(device: Callable[..., DevicePage]) -> None:
    """Somebody signed in, and out again."""
    device("bob", "Bob’s laptop").leave()


@pytest.fixture
def speaking(new_context: Callable[..., Any], site: str) -> Callable[..., Page]:
    """``speaking(language, **options)``: the administrator's dashboard in that language."""

    def open_page(language: str, **options: Any) -> Page:
        page: Page = new_context(**options).new_page()
        AdminPage(page).log_in()
        cookie: Any = {"name": "django_language", "value": language, "url": site}
        page.context.add_cookies([cookie])
        page.goto(f"{DASHBOARD}?period=30d")
        return page

    return open_page


def columns(page: Page) -> list[float]:
    """From which pixel on each day of the sign-ins is, the oldest first."""
    found: list[float] = page.evaluate(
        "[...document.querySelectorAll('.jwt-revoke-chart:first-child .jwt-revoke-column')]"
        ".map(column => column.getBoundingClientRect().left)"
    )
    return found


def test_it_is_reached_from_the_index_and_read_by_keyboard(busy: None, admin: AdminPage) -> None:
    page = admin.page
    page.get_by_role("link", name="Dashboard", exact=True).click()

    expect(page.get_by_role("img", name="Sign-ins")).to_be_visible()
    current = page.get_by_role("navigation", name="Period").locator("[aria-current]")
    expect(current).to_have_text("7 days")
    page.get_by_role("link", name="24 hours").focus()
    page.keyboard.press("Enter")
    expect(current).to_have_text("24 hours")

    numbers = page.get_by_role("table", name="Sign-ins")
    expect(numbers).to_be_hidden()
    page.get_by_text("Show the numbers").first.focus()
    page.keyboard.press("Enter")
    expect(numbers.get_by_role("row")).to_have_count(1 + 24)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_bar_is_seen_on_either_background(
    busy: None, speaking: Callable[..., Page], screenshots: Path, scheme: str
) -> None:
    page = speaking("en", color_scheme=scheme)

    page.screenshot(path=screenshots / f"admin-dashboard-{scheme}.png", full_page=True)
    bar = page.locator(".jwt-revoke-plot rect.jwt-revoke-sign-ins").last
    expect(bar).to_have_css("fill", "rgb(0, 119, 187)")
    assert bar.evaluate("bar => bar.getBoundingClientRect().height") > 3


def test_it_fits_a_narrow_screen(busy: None, speaking: Callable[..., Page]) -> None:
    page = speaking("en", viewport={"width": 320, "height": 700})
    for summary in page.get_by_text("Show the numbers").all():
        summary.click()

    wider = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wider) == 0


@pytest.mark.parametrize(("language", "is_mirrored"), [("en", False), ("ar", True)])
def test_time_runs_as_the_language_does(
    busy: None,
    speaking: Callable[..., Page],
    screenshots: Path,
    language: str,
    is_mirrored: bool,
) -> None:
    page = speaking(language)
    if is_mirrored:
        page.screenshot(path=screenshots / "admin-arabic.png", full_page=True)
    found = columns(page)

    assert len(found) == 30
    assert found == sorted(found, reverse=is_mirrored)
    scale = page.locator(".jwt-revoke-scale").first.bounding_box()
    assert scale is not None
    assert (scale["x"] > max(found)) == is_mirrored
