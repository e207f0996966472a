"""The maps of standards name tests that there are, and leave out nothing of ASVS."""

from __future__ import annotations

import ast
import fnmatch
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
SECURITY = DOCS / "security.md"
ASVS, STANDARDS = DOCS / "security" / "asvs.md", DOCS / "security" / "standards.md"

VERDICTS = ("met", "partly", "not met", "site", "n/a")
ID_HEADER = ["id", "asks for", "verdict", "how, or why not", "test"]

ASVS_SECTIONS = {
    1: (2, 10, 12, 3, 3),
    2: (3, 3, 5, 2),
    3: (1, 3, 5, 8, 8, 1, 5),
    4: (5, 5, 2, 4),
    5: (1, 6, 3, 3),
    6: (3, 12, 8, 6, 8, 4, 2, 4),
    7: (3, 4, 2, 5, 3, 2),
    8: (4, 4, 3, 2),
    9: (3, 4),
    10: (2, 3, 5, 16, 5, 2, 3),
    11: (4, 5, 5, 4, 2, 2, 2),
    12: (5, 2, 5),
    13: (4, 6, 4, 7),
    14: (2, 8, 3),
    15: (5, 5, 7, 4),
    16: (1, 5, 4, 3, 4),
    17: (2, 8, 2),
}
"""Of version 5.0.0, by chapter: how many requirements each section has."""

ASVS_IDS = [
    f"V{chapter}.{section}.{number}"
    for chapter, sections in ASVS_SECTIONS.items()
    for section, count in enumerate(sections, 1)
    for number in range(1, count + 1)
]


class Row(NamedTuple):
    """Of a table with ids: one requirement, or a range of them with the same answer."""

    heading: str
    id: str
    verdict: str
    how: str
    tests: str


def tables(page: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each row of each table: the heading that it is below, the table's header, its cells."""
    heading, header = "", []
    for line in page.read_text().splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if not line.startswith("|"):
            header = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not header:
            header = cells
        elif set(line) - set("|- "):
            yield heading, header, cells


def rows(page: Path) -> list[Row]:
    found = [(at, cells) for at, header, cells in tables(page) if header == ID_HEADER]
    return [Row(at, cells[0], *cells[2:]) for at, cells in found]


def ids(row: Row) -> list[str]:
    """Of ASVS: all that a range stands for."""
    first, _, last = row.id.partition("–")
    start = ASVS_IDS.index(first)
    return ASVS_IDS[start : ASVS_IDS.index(last or first) + 1]


@cache
def names_in(file: Path) -> frozenset[str]:
    tree = ast.parse(file.read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def missing(cell: str, home: Path) -> list[str]:
    """The files and functions that a cell names and that there are not. "…" is any text."""
    words = re.findall(r"`([^`]+)`", cell)
    files = [ROOT / word if word.startswith("tests/") else home / word for word in words]
    wanted = [file for file in files if file.suffix == ".py"]
    lost = [str(file) for file in wanted if not file.is_file()]
    if lost:
        return lost
    current: list[Path] = []
    for word, file in zip(words, files, strict=True):
        if file.suffix == ".py":
            current = [file]
        elif word.startswith("test_"):
            pattern = word.replace("…", "*")
            names = [name for place in current or wanted for name in names_in(place)]
            if not fnmatch.filter(names, pattern):
                lost.append(word)
    return lost


def chapters() -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in [*rows(ASVS), *rows(STANDARDS)]:
        found.setdefault(row.heading, []).append(row)
    return found


CHAPTERS = chapters()


def wrong(row: Row) -> str:
    """What a row lacks; nothing for a good one."""
    named = re.findall(r"`(test_\w+)`", row.tests)
    if row.verdict not in VERDICTS:
        return f"no verdict: {row.verdict}"
    if not (named or row.tests == "–"):
        return f"names no test, and no dash: {row.tests}"
    if row.verdict == "met" and not named:
        return "met, and no test shows it"
    if row.verdict != "met" and not row.how:
        return f"{row.verdict}, and no reason"
    lost = missing(row.tests, ROOT / "tests")
    return f"not there: {lost}" if lost else ""


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_requirement_is_shown_by_tests_or_answered_by_a_reason(chapter: str) -> None:
    found = {row.id: wrong(row) for row in CHAPTERS[chapter]}
    assert {one: what for one, what in found.items() if what} == {}


def test_every_requirement_of_asvs_is_there_once_and_in_its_order() -> None:
    assert len(ASVS_IDS) == 345
    assert [one for row in rows(ASVS) for one in ids(row)] == ASVS_IDS


def test_a_requirement_of_asvs_stands_below_its_chapter() -> None:
    wrong = [row.id for row in rows(ASVS) if not row.id.startswith(f"{row.heading.split()[0]}.")]
    assert wrong == []


def test_no_section_of_a_standard_is_there_twice() -> None:
    seen = Counter((row.heading, row.id) for row in rows(STANDARDS))
    assert [one for one, times in seen.items() if times > 1] == []


@pytest.mark.parametrize(
    ("heading", "sections"),
    [
        ("RFC 8725", [*(f"§2.{n}" for n in range(1, 10)), *(f"§3.{n}" for n in range(1, 13))]),
        ("RFC 9700", ["§2.1", "§2.1.1", "§2.1.2", "§2.2.1", "§2.2.2", "§2.3", "§2.4", "§2.5"]),
        ("RFC 9700", [f"§4.{n}" for n in range(1, 18)]),
        ("RFC 6750", ["§2.1", "§2.2", "§2.3", "§3", "§3.1", "§5.2", "§5.3"]),
    ],
)
def test_no_section_that_tells_of_an_attack_is_left_out(heading: str, sections: list[str]) -> None:
    told = [row.id for row in rows(STANDARDS) if row.heading.startswith(heading)]
    assert [
        one for one in sections if not any(f"{id_}.".startswith(f"{one}.") for id_ in told)
    ] == []


def test_the_counts_are_right() -> None:
    counted: dict[str, Counter[str]] = {}
    for row in rows(ASVS):
        counted.setdefault("OWASP ASVS 5.0", Counter())[row.verdict] += len(ids(row))
    for row in rows(STANDARDS):
        name = row.heading.partition(",")[0].replace("Other", "other").replace("63B", "63B-4")
        counted.setdefault(name, Counter())[row.verdict] += 1
    said = {
        cells[0]: cells[1:] for _, header, cells in tables(STANDARDS) if header[0] == "standard"
    }
    assert said == {
        name: [str(number) for number in (count.total(), *(count[one] for one in VERDICTS))]
        for name, count in counted.items()
    }


def test_what_is_refused_beyond_pyjwt_is_shown_by_tests() -> None:
    cells = [cells for _, header, cells in tables(SECURITY) if header[-1] == "our test"]
    assert len(cells) > 10
    assert [lost for row in cells for lost in missing(row[-1], ROOT / "tests" / "attacks")] == []
