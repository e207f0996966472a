"""The processes that follow the log, in the admin: as each last reported itself."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..database import DatabaseNow
from ..models import ReplicaProcess
from ..processes import is_idle, is_live
from .readonly import ReadOnlyAdmin


@admin.register(ReplicaProcess)
class ReplicaProcessAdmin(ReadOnlyAdmin):
    """The last seen first; searched by the exact name of a host."""

    list_display = ("process", "state", "log", "behind", "last_read", "entries", "fallbacks")
    fields = (
        *("id", "host", "pid", "state", "log", "started_at", "seen_at"),
        *("max_staleness", "last_read", "sequence", "behind", "entries", "fallbacks", "reads"),
    )
    ordering = ("-seen_at",)
    sortable_by = ()
    search_fields = ("host",)
    search_help_text = _("A host’s exact name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Whether it lives is told by the clock that it was seen by.
        rows = super().get_queryset(request)
        annotated: QuerySet[Any] = rows.annotate(jwt_revoke_now=DatabaseNow())
        return annotated

    @admin.display(description=_("process"))
    def process(self, row: ReplicaProcess) -> str:
        """Where it runs."""
        return str(row)

    @admin.display(description=_("state"))
    def state(self, row: Any) -> str:
        """Whether it was seen of late."""
        return str(_("running") if is_live(row) else _("not seen of late"))

    @admin.display(description=_("last read"))
    def last_read(self, row: ReplicaProcess) -> str:
        """How old its copy was when it reported, where anybody had asked."""
        if row.age is None:
            return str(_("not reading"))
        if is_idle(row.age, row.max_staleness):
            return str(_("idle"))
        return _("%(seconds).2f s ago") % {"seconds": row.age}

    def matching(self, term: str) -> Q:
        """The processes of that host: a few rows, whatever the table's index."""
        return Q(host=term)
