from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

PAGE = "/account/devices/"
CSRF = "c" * 32


def url_of(device: Any, what: str) -> str:
    return f"{PAGE}{device.session_id}/{what}/"


@pytest.fixture
def browser(user: Any) -> Client:
    """Signed in by Django's session; CSRF is enforced as on a site."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


@pytest.fixture
def submit(browser: Client) -> Callable[..., Any]:
    """Sends a form of the page with its CSRF token, as the browser does."""
    browser.cookies["csrftoken"] = CSRF

    def send(url: str, data: dict[str, Any] | None = None, **options: Any) -> Any:
        return browser.post(url, {"csrfmiddlewaretoken": CSRF, **(data or {})}, **options)

    return send
