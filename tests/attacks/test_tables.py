"""The tables of attacks in the documentation name tests that there are."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def rows(page: str) -> list[list[str]]:
    """The cells of each row of the tables whose last column is our test."""
    found, ours = [], False
    for line in (DOCS / page).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if not line.startswith("|"):
            ours = False
        elif ours and not set(line) <= set("|- "):
            found.append(cells)
        elif cells[-1].strip("| ") == "our test":
            ours = True
    return found


def named(cell: str) -> tuple[list[Path], list[str]]:
    """The files and the tests of a cell; "…" in a test's name stands for anything."""
    words = re.findall(r"`([^`]+)`", cell)
    files = [word for word in words if word.endswith(".py")]
    paths = [ROOT / file if "/" in file else Path(__file__).with_name(file) for file in files]
    return paths, [
        word.replace("…", "*") for word in words if word.startswith("test_") and word not in files
    ]


@cache
def functions_in(file: Path) -> frozenset[str]:
    tree = ast.walk(ast.parse(file.read_text()))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree if isinstance(node, kinds))


def has(file: Path, test: str) -> bool:
    return any(fnmatchcase(name, test) for name in functions_in(file))


@pytest.mark.parametrize(("page", "least"), [("security.md", 15), ("cves.md", 35)])
def test_each_row_names_tests_that_there_are(page: str, least: int) -> None:
    table = rows(page)
    assert len(table) >= least
    for row in table:
        files, tests = named(row[-1])
        assert files, row
        assert [file for file in files if not file.is_file()] == []
        assert [test for test in tests if not any(has(file, test) for file in files)] == []
        # A file is there for its tests, where any is named.
        idle = [file for file in files if tests and not any(has(file, test) for test in tests)]
        assert idle == [], row


def test_no_vulnerability_is_named_twice() -> None:
    ids = [name for row in rows("cves.md") for name in re.findall(r"(?:CVE|GHSA)-[\w-]+", row[0])]
    assert len(ids) == len(set(ids)) >= 40
