"""What gettext's tools say of the package's texts."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.services.server import find_binary
from tests.services.starting import started

PACKAGE = Path(__file__).resolve().parents[1] / "jwt_revoke"
TOOLS = ["msgcmp", "msgen", "msgfilter", "msgfmt", "xgettext"]


@contextlib.contextmanager
def tools() -> Iterator[None]:
    for name in TOOLS:
        find_binary(name, package="gettext")
    yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The catalogue of what the sources say now, without translations."""
    copy = tmp_path_factory.mktemp("texts") / "jwt_revoke"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("locale", "__pycache__"))
    (copy / "locale").mkdir()
    with started(tools()), pytest.MonkeyPatch.context() as patch:
        patch.chdir(copy)
        call_command("makemessages", locale=["xx"], keep_pot=True, no_location=True, verbosity=0)
        yield copy / "locale" / "django.pot"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
