"""What the gate refuses, by figures made up. Each run of it refuses a check slowed on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cost import gate
from tests.cost.callgrind import Counts, read
from tests.cost.gate import Figures
from tests.cost.plan import CHECKED, REFERENCE

pytestmark = pytest.mark.once

STORED = Figures(instructions=2.0, allocations=100)

PROFILE = """\
# callgrind format
desc: Trigger: Client Request: replica, seen: 20

fn=(1) check
10 500
cfn=(2) malloc
calls=3 0
10 90
cfn=(3) free
calls=3 0
10 60

fn=(4) decode
cfn=(2)
calls=2 0
11 50
cfn=(5) realloc'2
calls=1 0
11 40

totals: 740
"""


def test_the_same_again_passes() -> None:
    assert gate.excesses("check", STORED, STORED) == []
    assert gate.savings("check", STORED, STORED) == []


@pytest.mark.parametrize("counted", [Figures(2.19, 100), Figures(2.0, 109)])
def test_what_the_tolerance_allows_passes(counted: Figures) -> None:
    assert gate.excesses("check", counted, STORED) == []


def test_more_instructions_are_refused() -> None:
    (excess,) = gate.excesses("check", Figures(2.21, 100), STORED)
    assert excess == "check: instructions 2.210 yardsticks, stored 2.000 (+10.5%)"


def test_more_allocations_are_refused() -> None:
    (excess,) = gate.excesses("check", Figures(2.0, 113), STORED)
    assert excess == "check: allocations 113, stored 100 (+13.0%)"


def test_one_allocation_more_than_almost_none_passes() -> None:
    assert gate.excesses("check", Figures(2.0, 2), Figures(2.0, 1)) == []
    assert gate.excesses("check", Figures(2.0, 4), Figures(2.0, 1)) != []


def test_a_saving_is_said_and_no_excess() -> None:
    counted = Figures(1.5, 100)
    assert gate.excesses("check", counted, STORED) == []
    (saving,) = gate.savings("check", counted, STORED)
    assert saving == "check: instructions 1.500 yardsticks, stored 2.000 (-25.0%)"


def test_a_block_kept_of_each_check_is_a_leak() -> None:
    assert gate.leaks({"settles": 300, "gives back": -50}, 10_000) == []
    assert gate.leaks({"leaks": 10_000}, 10_000) == [
        "leaks: 10,000 blocks are kept after 10,000 checks"
    ]


def test_a_gate_that_does_not_notice_the_slowed_check_is_none() -> None:
    assert gate.blindness(Figures(2.3, 120), STORED) == []
    assert gate.blindness(Figures(2.1, 200), STORED) != []


def test_a_case_without_a_stored_figure_is_refused() -> None:
    assert gate.missing(["old", "new"], {"old": STORED}) == ["new: no figure is stored"]


def test_what_is_stored_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    gate.write("3.13", {"check": STORED}, file)
    gate.write("3.11", {"check": Figures(1.0, 5)}, file)
    assert gate.read("3.13", file) == {"check": STORED}
    assert gate.read("3.12", file) is None


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_every_case_has_a_figure_at_both_ends_of_ci(version: str) -> None:
    assert set(gate.read(version) or {}) == {*CHECKED, REFERENCE}


def test_calls_of_an_allocator_are_counted_by_whomever_they_were_made() -> None:
    assert read(PROFILE) == ("replica, seen: 20", Counts(instructions=740, allocations=6))


def test_what_callgrind_did_not_write_at_our_word_is_refused() -> None:
    with pytest.raises(ValueError, match="no file of callgrind's"):
        read("# callgrind format\ndesc: Trigger: Program termination\ntotals: 5\n")
