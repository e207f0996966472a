"""What a site installs with us: listed with its licence, and at which least version."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests import lowest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "dependencies.md"
LEAST = lowest.lowest(lowest.read_project())
FAMILY = re.compile(
    r"Apache|BSD|MIT|PSF|Python Software Foundation|MPL|A?L?GPL|GNU|EUPL|ISC", re.IGNORECASE
)
PERMISSIVE = {"APACHE", "BSD", "MIT", "PSF", "PYTHON SOFTWARE FOUNDATION", "ISC"}
NOT_PERMISSIVE = {"certifi"}
"""As the page says."""

pytestmark = pytest.mark.packaging


def listed() -> dict[str, list[str]]:
    """Package → the cells of its row."""
    table = PAGE.read_text().split("\n\n")[2]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return {row[0]: row for row in rows[2:]}


def families(text: str) -> set[str]:
    return {found.upper() for found in FAMILY.findall(text)}


def declared(package: str) -> str:
    """The licence as the package declares it: how has changed over the years."""
    found = metadata(package)
    names = [name for name in found.get_all("Classifier", []) if name.startswith("License")]
    return found.get("License-Expression") or " ".join(names) or found.get("License") or ""


def test_each_dependency_is_listed_with_its_least_version():
    assert {name: row[2] for name, row in listed().items()} == LEAST


@pytest.mark.parametrize("package", LEAST)
def test_the_licence_is_the_one_that_the_package_declares(package):
    found = families(declared(package))
    assert found
    assert found <= families(listed()[package][3])


def brought_along() -> set[str]:
    """What is installed because one of ours needs it, of theirs in turn too."""
    seen: set[str] = set()
    waiting = list(LEAST)
    waiting.append("ua-parser-rs")  # of its extra "regex"
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in seen:
            continue
        try:
            version(name)
        except PackageNotFoundError:
            continue  # for another Python or system
        seen.add(name)
        needed = map(Requirement, requires(name) or [])
        waiting += [
            one.name for one in needed if not one.marker or one.marker.evaluate({"extra": ""})
        ]
    return seen


def test_nothing_that_a_site_gets_is_copyleft():
    found = {name: families(declared(name)) for name in brought_along()}
    assert len(found) > len(LEAST)
    other = {name: names for name, names in found.items() if not names or names - PERMISSIVE}
    assert other.keys() <= NOT_PERMISSIVE, other


@pytest.mark.parametrize("package", LEAST)
def test_what_is_tested_is_not_older_than_what_is_declared(package):
    assert Version(version(package)) >= Version(LEAST[package])


def test_the_least_versions_are_written_as_constraints():
    """By a Python that has nothing installed: it is run before anything is."""
    command = [sys.executable, "-I", "-S", str(ROOT / "tests" / "lowest.py")]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert text.splitlines() == [f"{name}=={least}" for name, least in LEAST.items()]


def test_the_tools_are_not_held_back():
    assert not {"pytest", "whitenoise", "psycopg"} & LEAST.keys()


@pytest.mark.parametrize("requirement", ["django", "django<6", "django>=5.2,<6", "django~=5.2"])
def test_a_dependency_without_a_plain_least_version_is_refused(requirement):
    project = {"dependencies": [requirement], "optional-dependencies": {}}
    with pytest.raises(ValueError, match="name>=version"):
        lowest.lowest(project)
