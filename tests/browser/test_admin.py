"""The administrator's button, on the ordinary user admin; and the pictures of the README."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.people import AdminPage, DevicePage, log_out, password_of

LAPTOP = "Alice’s laptop"
ELSEWHERE = {
    "Alice’s phone": (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
    ),
    "Nightly export": "curl/8.14.1",
}


@pytest.fixture
def laptop(device: Callable[..., DevicePage]) -> Iterator[DevicePage]:
    """Alice's page, with two more devices of hers signed in."""
    page = device(viewport={"width": 1280, "height": 900})
    request = page.page.context.request
    refresh_tokens = []
    for name, user_agent in ELSEWHERE.items():
        answer = request.post(
            "/api/auth/token/",
            data={"username": "alice", "password": password_of("alice"), "device": name},
            headers={"User-Agent": user_agent},
        )
        assert answer.ok, answer.status
        refresh_tokens.append(answer.json()["refresh"])
    page.sign_in("alice", LAPTOP)
    page.expect_let_in()
    page.expect_devices(LAPTOP, *ELSEWHERE)
    yield page
    for refresh in refresh_tokens:
        log_out(request, refresh)


def test_the_admin_logs_a_user_out_everywhere(
    laptop: DevicePage, device: Callable[..., DevicePage], admin: AdminPage, screenshots: Path
) -> None:
    bystander = device("bob", "Bystander")
    take_the_page(laptop, screenshots)

    admin.open_user("alice")
    admin.picture(screenshots / "admin-button.png")
    admin.ask_to_log_out_everywhere()
    expect(admin.page.locator("#user-tools")).to_contain_text("admin")  # who acts, not upon whom
    for name in [LAPTOP, *ELSEWHERE]:
        expect(admin.page.locator("#content")).to_contain_text(name)
    admin.picture(screenshots / "admin-confirm.png")
    laptop.expect_let_in()  # to ask is not to do

    admin.confirm()
    expect(admin.page.locator(".messagelist")).to_be_visible()
    laptop.expect_ended()
    bystander.expect_let_in()


def take_the_page(laptop: DevicePage, folder: Path) -> None:
    # A few beats of the pulse, so that one sees what it is.
    expect(laptop.page.locator("#beats .good")).to_have_count(4)
    laptop.page.evaluate("document.activeElement.blur()")
    laptop.picture(folder / "page.png")
    laptop.page.emulate_media(color_scheme="dark")
    laptop.picture(folder / "page-dark.png")
