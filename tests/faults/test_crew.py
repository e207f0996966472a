"""The suite on trial: it convicts a backend that is wrong, and acquits one that is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults.crew import crew
from tests.faults.forgetful import REMEMBERED
from tests.faults.site import Site

SHORT = 6.0
DATABASE = {"BACKEND": "jwt_revoke.backends.database.DatabaseBackend", "OPTIONS": {}}
FORGETFUL = {"BACKEND": "tests.faults.forgetful.ForgetfulBackend", "OPTIONS": {}}


def test_a_backend_that_remembers_verdicts_is_convicted(database: Any, tmp_path: Path) -> None:
    # Long enough for a machine on which four such crews are at work.
    with crew(tmp_path, Site(database.url, FORGETFUL), seconds=3 * SHORT) as run:
        pass
    findings = run.findings(healed=0)
    run.count(findings, planted=True)
    print("\n".join([str(findings), *findings.problems()]))
    assert len(findings.violations) > 10
    late = [one.read.start - one.revocation.end for one in findings.violations]
    stale = REMEMBERED + 0.5  # which a busy machine adds
    assert 0 <= min(late) <= max(late) < stale
    assert run.findings(bound=stale, healed=0).problems() == []


@pytest.mark.parametrize(
    ("planted", "why"),
    [
        ("every_use_rotates", " succeeds it, and "),
        ("the_end_is_not_asked", " s after writer-"),
        ("a_replay_ends_nothing", " was refused for good"),
    ],
)
def test_a_refresh_that_is_wrong_is_convicted(
    planted: str, why: str, database: Any, tmp_path: Path
) -> None:
    """Invariants 1 and 5."""
    with crew(tmp_path, Site(database.url, DATABASE, planted=planted), seconds=3 * SHORT) as run:
        pass
    findings = run.findings(healed=0)
    run.count(findings, planted=True)
    print("\n".join([str(findings), *findings.problems()]))
    assert any(why in str(one) for one in findings.missteps)
    # No read was: what a refresh brings is still asked about.
    assert findings.violations == []


def test_the_database_backend_is_acquitted(database: Any, tmp_path: Path) -> None:
    with crew(tmp_path, Site(database.url, DATABASE), seconds=SHORT) as run:
        pass
    run.assert_sound(healed=0)
