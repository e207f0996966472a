"""Invariant 9: each way to show a secret fails the test that took it, and says where it was."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

LEAKS = Path(__file__).with_name("leaks.py")
ROOT = LEAKS.parents[2]
SEEN = {
    "a_log_message": "refresh token in log record jwt_revoke",
    "log_arguments_that_are_not_shown": "access token in log record jwt_revoke",
    "what_is_attached_to_a_record": "access token in log record jwt_revoke",
    "a_logged_traceback": "access token in log record jwt_revoke",
    "the_middle_of_a_token": "refresh token in log record jwt_revoke",
    "what_was_no_secret_yet": "password in log record jwt_revoke",
    "a_password_hash": "password hash in log record jwt_revoke",
    "a_key": "key in log record jwt_revoke",
    "a_url": "refresh token in URL GET",
    "a_redirect": "refresh token in header GET HttpResponse 302",
    "a_page": "refresh token in page GET HttpResponse 200",
    "locals_of_a_view": "refresh token in error report RuntimeError",
    "a_form_under_debug": "password in error report RuntimeError",
    "output_of_a_command": "refresh token in output",
    "what_is_printed": "refresh token in output Captured stderr call",
    "what_is_printed_and_read": "refresh token in output of the test",
    "a_process": "refresh token in output of a process",
    "the_log_file_of_a_process": "refresh token in log file site.log",
    "a_row": "refresh token in row INSERT INTO leaks",
    "elsewhere_than_marked": "refresh token in URL GET",
    "a_mark_for_nothing": "Nothing was seen, and the test is marked",
}
"""Each test of ``leaks.py`` that has to fail, and what is said of it."""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> str:
    """All that a run of ``leaks.py`` says."""
    folder = tmp_path_factory.mktemp("leaks")
    # What is captured would show the secrets here, too.
    quiet = ["-rA", "--show-capture=no", "--tb=short", "--disable-warnings", "-W", "default"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, "-p", "no:cacheprovider", str(LEAKS)],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": f"sqlite:///{folder / 'leaks.sqlite3'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("leak", SEEN)
def test_it_fails_and_is_told(said: str, leak: str) -> None:
    told = re.search(rf"^_+ test_{leak} _+$\n(.*?)^[_=]", said, re.MULTILINE | re.DOTALL)
    assert told is not None, said
    assert SEEN[leak] in told[1]
    assert re.search(rf"^FAILED .*::test_{leak} ", said, re.MULTILINE)


def test_what_a_fixture_shows_at_its_end_is_an_error_of_the_test(said: str) -> None:
    assert re.search(r"^ERROR .*::test_the_end_of_a_fixture ", said, re.MULTILINE)


@pytest.mark.parametrize("silent", ["what_is_marked", "silence"])
def test_it_passes(said: str, silent: str) -> None:
    assert re.search(rf"^PASSED .*::test_{silent}$", said, re.MULTILINE)


@pytest.mark.parametrize("place", ["metrics", "warning .*::test_a_warning"])
def test_what_no_test_can_fail_for_fails_the_run(said: str, place: str) -> None:
    assert re.search(rf"^SILENCE refresh token in {place}", said, re.MULTILINE)


def test_all_is_counted(said: str) -> None:
    assert re.search(r"^Silence: \d+ secrets looked for in \d+ log records, ", said, re.MULTILINE)


def test_every_leak_is_judged() -> None:
    """One that is forgotten above would be a leak that nobody looks for."""
    there = set(re.findall(r"^def test_(\w+)", LEAKS.read_text(), re.MULTILINE))
    judged = {*SEEN, "the_end_of_a_fixture", "what_is_marked", "silence", "a_label", "a_warning"}
    assert there == judged
