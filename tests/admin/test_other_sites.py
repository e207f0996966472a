"""Sites that are configured in another way than this suite's, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
        "['log_out_selected']",
    ]


def test_the_admin_of_a_child_of_the_user_logs_the_user_out() -> None:
    assert run("child") == ["page revoked", "action revoked"]


def test_a_site_without_the_admin_does_without() -> None:
    assert run("without") == ["System check identified no issues (0 silenced)."]
