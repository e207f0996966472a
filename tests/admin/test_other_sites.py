"""Sites that are configured in another way than this suite's, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jwt_revoke.admin.logout import FORM_ACTIONS

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> list[str]:
    result = subprocess.run(
        [sys.executable, "-m", "tests.admin.other_sites", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_button_is_there_in_either_order_of_the_apps(place: str) -> None:
    assert run("order", place) == [
        "/admin/accounts/member/1/log-out-everywhere/",
        str(["log_out_selected", *(action.__name__ for action in FORM_ACTIONS)]),
    ]


def test_our_pages_are_on_the_site_that_a_theme_puts_in_the_place_of_django_s() -> None:
    assert run("replaced") == ["UnfoldAdminSite", "/admin/jwt_revoke/revocation/"]


def test_the_admin_of_a_child_of_the_user_logs_the_user_out() -> None:
    assert run("child") == ["page revoked", "action revoked"]


@pytest.mark.parametrize("model", ["UUIDMember", "Customer", "Person"])
def test_a_run_over_users_with_keys_of_any_kind_leaves_nobody_out(model: str) -> None:
    assert run("run", model) == ["Log out everywhere 0", "2", "4", "302 5"]


def test_a_site_without_the_admin_does_without() -> None:
    assert run("without") == ["System check identified no issues (0 silenced)."]
