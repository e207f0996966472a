"""A package is installed once, whoever asks, and never by half."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.services.node import installed
from tests.services.server import ServiceMissing

pytestmark = pytest.mark.faults

Npm = Callable[[str], str]


@pytest.fixture
def npm(tmp_path: Path) -> Npm:
    """Writes an npm that counts its runs before it does as told."""

    def write(does: str) -> str:
        path = tmp_path / "npm"
        path.write_text(f'#!/bin/sh\necho run >>"{tmp_path}/runs"\n{does}\n')
        path.chmod(0o755)
        return str(path)

    return write


def runs(tmp_path: Path) -> int:
    return len((tmp_path / "runs").read_text().splitlines())


def test_of_those_who_ask_at_once_one_installs(npm: Npm, tmp_path: Path) -> None:
    binary = npm("mkdir node_modules")
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(installed, binary, "a@1", tmp_path / "build") for _ in range(8)]
    (folder,) = {answer.result() for answer in asked}
    assert (folder / "node_modules").is_dir()
    assert runs(tmp_path) == 1


def test_what_npm_did_not_end_is_not_taken_for_installed(npm: Npm, tmp_path: Path) -> None:
    fails = npm("mkdir node_modules; echo offline >&2; echo and more >&2; exit 1")
    with pytest.raises(ServiceMissing, match=r"^npm could not install a@1: offline$"):
        installed(fails, "a@1", tmp_path)
    installed(npm("mkdir node_modules"), "a@1", tmp_path)
    assert runs(tmp_path) == 2
