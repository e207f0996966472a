"""What is printed in columns: rows of texts, the first of them the heads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.utils.translation import gettext as _

from jwt_revoke import canary, processes
from jwt_revoke.models import ReplicaProcess


def of_processes(found: Sequence[ReplicaProcess]) -> list[list[str]]:
    """A line for each process that was seen of late."""
    head = [_("Replica process"), _("log"), _("behind"), _("last read"), _("entries")]
    rows = [[*head, _("fallbacks")]]
    for row in found:
        if processes.is_idle(row.age, row.max_staleness):
            read = _("idle")
        else:
            read = _("not reading") if row.age is None else f"{row.age:.2f} s"
        behind = "?" if row.behind is None else str(row.behind)
        rows.append([str(row), row.log, behind, read, str(row.entries), str(row.fallbacks)])
    return rows if found else [[_("No replica process was seen of late.")]]


def of_workers(found: Mapping[str, canary.Worker], names: Mapping[str, str]) -> list[list[str]]:
    """A line for each worker, and one for all: milliseconds."""
    rows = [
        [_("Worker"), _("refused after: p50"), "p99", _("max ms"), _("accepted until"), _("checks")]
    ]
    everybody = canary.Worker()
    for name, worker in found.items():
        rows.append([names.get(name, name), *_of_worker(worker)])
        everybody.refused += worker.refused
        everybody.accepted += worker.accepted
        everybody.checks += worker.checks
    return [*rows, [_("all"), *_of_worker(everybody)]]


def _of_worker(worker: canary.Worker) -> list[str]:
    def milliseconds(seconds: float) -> str:
        return f"{1000 * seconds:.1f}"

    times = worker.refused
    refused = [milliseconds(canary.percentile(times, part)) for part in (0.5, 0.99, 1) if times]
    accepted = milliseconds(max(worker.accepted)) if worker.accepted else "–"
    return [*(refused or ["–"] * 3), accepted, str(worker.checks)]
