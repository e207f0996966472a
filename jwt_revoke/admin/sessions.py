"""Device sessions in the admin: to look at, and to end."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from .. import api
from ..models import DeviceSession
from .readonly import ReadOnlyAdmin, keys_of_users, note_each


@admin.register(DeviceSession)
class DeviceSessionAdmin(ReadOnlyAdmin):
    """The newest sign-ins first; searched by a session's id or a user's exact name."""

    list_display = ("name", "user", "ip_address", "created_at", "last_used_at", "state")
    list_display_links = ("name", "created_at")
    list_select_related = ("user",)
    ordering = ("-created_at",)
    search_fields = ("id",)
    search_help_text = _("A user’s exact name, or a session’s id")
    actions = ("end_sessions",)

    @admin.display(description=_("state"))
    def state(self, session: DeviceSession) -> str:
        """Why it ended, by its own row; a floor may have ended it all the same."""
        return session.end_reason or ""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            return queryset.filter(user_id__in=keys_of_users(term)), False

    def has_end_permission(self, request: HttpRequest) -> bool:
        """A permission of its own: looking is not ending."""
        return request.user.has_perm("jwt_revoke.end_devicesession")

    @admin.action(permissions=["end"], description=_("End selected sessions"))
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[DeviceSession]) -> None:
        """End them as one batch."""
        count = api.revoke_sessions(queryset, reason="ended_by_admin")
        note_each(request, queryset, "Ended.")
        text = ngettext("%(count)d session is ended.", "%(count)d sessions are ended.", count)
        messages.success(request, text % {"count": count})
