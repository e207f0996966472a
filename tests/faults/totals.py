"""What all the runs of a log did and showed, together."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from tests.faults.intervals import Findings
from tests.faults.records import Record

PROPERTY: Final = "fault run"
"""As which a test hands over what it counted, from whatever process it was run in."""
COLUMNS: Final = ("done", "accepted", "refused", "503", "other")
KINDS: Final = {
    "SignIn": "sign-ins",
    "Refresh": "refreshes",
    "Read": "reads",
    "Revocation": "revocations",
}
_ANSWERS: Final = {200: "accepted", 204: "accepted", 401: "refused", 503: "503"}

judged: list[str] = []
"""The runs of the test under way; its teardown takes them."""


def count(records: Sequence[Record], findings: Findings, *, steps: int, planted: bool) -> str:
    """What is counted of a run.

    ``steps``: how often its test did something to the site, or undid it. ``planted``: the site was
    wrong on purpose.
    """
    bad = [*findings.violations, *findings.missteps, *findings.wrong]
    counts = Counter({"runs": 1, "steps": steps, "violations": len(bad)})
    for record in records:
        kind = KINDS[type(record).__name__]
        counts[f"{kind} done"] += 1
        counts[f"{kind} {_ANSWERS.get(record.status, 'other')}"] += 1
    return json.dumps({"planted": planted, **counts})


def table(runs: Iterable[str]) -> list[str]:
    """The lines for the end of the log."""
    sound: Counter[str] = Counter()
    planted: Counter[str] = Counter()
    for run in runs:
        counts = json.loads(run)
        (planted if counts.pop("planted") else sound).update(counts)
    lines = ["".ljust(12) + "".join(column.rjust(10) for column in COLUMNS)]
    for kind in KINDS.values():
        numbers = [f"{sound[f'{kind} {column}']:,}".rjust(10) for column in COLUMNS]
        lines.append(kind.ljust(12) + "".join(numbers))
    done = sum(sound[f"{kind} done"] for kind in KINDS.values())
    lines.append(
        f"{done:,} operations in {sound['runs']} runs, {sound['steps']:,} steps of faults: "
        f"{sound['violations']} violations"
    )
    if planted["runs"]:
        lines.append(
            f"Wrong on purpose: {planted['runs']} runs, {planted['violations']:,} violations found"
        )
    return lines
