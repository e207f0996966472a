"""Signing keys in the admin, changed by a superuser who has no mouse."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from playwright.sync_api import Page, expect

from tests.browser.conftest import served
from tests.browser.people import AdminPage, tab_to

KEYS = "/admin/jwt_revoke/signingkey/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example project with stored keys, and a database of its own: its keys are compromised."""
    stored = {
        "DJANGO_SETTINGS_MODULE": "tests.browser.stored_keys",
        "BROWSER_KEY_ENCRYPTION_KEY": Fernet.generate_key().decode(),
    }
    with served(tmp_path_factory.mktemp("site"), **stored) as address:
        yield address


def signer(page: Page) -> str:
    row = page.locator("#content tbody tr").filter(has=page.get_by_text("signs", exact=True))
    return row.first.get_by_role("rowheader").inner_text()


def test_keys_are_rotated_and_marked_as_compromised_by_keyboard(
    admin: AdminPage, screenshots: Path
) -> None:
    page = admin.page
    page.goto(KEYS)
    first = signer(page)

    tab_to(page, "Rotate")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_contain_text("A new key is stored and published at once")
    tab_to(page, "Rotate the keys")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("the others retire by themselves")
    assert signer(page) == first  # it signs until everybody has seen the new one
    admin.picture(screenshots / "admin-keys.png")

    tab_to(page, f"Compromised {first}")
    page.keyboard.press("Enter")
    effect = page.get_by_role("radio", name="Access tokens are revoked")
    expect(effect).to_be_checked()
    admin.picture(screenshots / "admin-key-compromised.png")
    tab_to(page, "Mark the key as compromised")
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text(f"“{first}” verifies nothing any more")
    assert signer(page) != first
