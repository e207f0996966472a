"""People who use the admin, and a user whom they look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import OperationalError, connection
from django.test import Client

from tests.conftest import make_user

LOG_OUT = "jwt_revoke.revoke_tokens"
CHANGE_USERS = "accounts.change_member"
VIEW_USERS = "accounts.view_member"

ANSWER = {"effect": "session", "reason": "logout_all", "note": ""}
"""What the page that asks has chosen at first."""


@pytest.fixture(autouse=True)
def sites(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.admin.urls"


@pytest.fixture
def boss(db: None) -> Any:
    """A superuser."""
    return make_user("boss", is_staff=True, is_superuser=True)


@pytest.fixture
def admin(boss: Any) -> Client:
    """The boss, logged in to the admin."""
    return browser_of(boss)


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """``staff("app.codename", …)``: a staff user with just these permissions, logged in."""

    def make(*permissions: str) -> Client:
        person = make_user("staff", is_staff=True)
        for name in permissions:
            app, codename = name.split(".")
            person.user_permissions.add(
                Permission.objects.get(content_type__app_label=app, codename=codename)
            )
        return browser_of(person)

    return make


@contextmanager
def broken_database() -> Iterator[None]:
    """Whatever is written to our tables fails, as when the connection breaks."""

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "jwt_revoke" in sql and not sql.startswith("SELECT"):
            raise OperationalError("server closed the connection unexpectedly")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield


def refuse_to_read(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    """As where our tables are missing: the statement fails at the database itself."""
    if "jwt_revoke_" in sql and sql.startswith("SELECT"):
        sql, params = "SELECT 1 FROM jwt_revoke_missing", ()
    return execute(sql, params, many, context)


def browser_of(person: Any, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(person)
    return client


def change_page(user: Any, site: str = "admin", model: str = "member") -> str:
    return f"/{site}/accounts/{model}/{user.pk}/change/"


def log_out_page(user: Any, site: str = "admin", model: str = "member") -> str:
    return f"/{site}/accounts/{model}/{user.pk}/log-out-everywhere/"


def list_page(site: str = "admin", model: str = "member") -> str:
    return f"/{site}/accounts/{model}/"


def messages_of(response: Any) -> list[str]:
    """What a followed redirect tells the person."""
    return [str(message) for message in response.context["messages"]]
