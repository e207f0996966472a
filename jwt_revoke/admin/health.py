"""What the dashboard says of the backend, and of the processes that follow the log."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..ages import ago
from ..insights import Health
from ..models import ReplicaProcess
from .numbers import grouped

_LONG: Final = timedelta(minutes=1)


class Row(NamedTuple):
    """What is told of, what is to be said, and where there is more."""

    label: str
    text: str
    url: str = ""


def rows_of(health: Health, processes_url: str) -> list[Row]:
    """In order."""
    rows = [Row(_("Backend"), health.backend)]
    if health.strict:
        rows.append(Row(_("Sees a revocation"), _("at the next request")))
    rows += [Row(label, str(value)) for label, value in health.figures.items()]
    if not health.follows:
        return rows
    rows.append(Row(_("Oldest entry without a number"), _waiting(health.oldest_wait)))
    return rows + _of(health.processes, processes_url)


def _waiting(wait: timedelta | None) -> str:
    if wait is None:
        return _("none")
    if wait >= _LONG:
        return ago(timezone.now() - wait)
    return _("%(seconds).1f s") % {"seconds": wait.total_seconds()}


def _of(processes: list[ReplicaProcess], url: str) -> list[Row]:
    if not processes:
        return [Row(_("Replica processes"), _("No replica process was seen of late."), url)]
    # One that nobody asks has read nothing to be behind of, and is not in it.
    behind, furthest = max((row.behind or 0, str(row)) for row in processes)
    entries = ngettext("%(count)s entry", "%(count)s entries", behind) % {"count": grouped(behind)}
    rows = [
        Row(_("Replica processes"), grouped(len(processes)), url),
        Row(_("Furthest behind"), f"{entries} ({furthest})" if behind else entries),
    ]
    blind = sum(row.age is None for row in processes)
    return [*rows, Row(_("Not reading"), grouped(blind))] if blind else rows
