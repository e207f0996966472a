"""Device sessions in the admin: to look at, and to end."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from .. import api
from ..exceptions import Unavailable
from ..models import DeviceSession, write_alias
from ..places import is_configured, place_of
from ..reasons import reason_text
from ..standing import live_sessions
from .readonly import COUNTED, ReadOnlyAdmin, keys_of_users, note_each, tell_unavailable


class SessionList(ChangeList):
    """A page of sessions, with what is looked up for its rows only.

    Not by joins in the list's own query: a session whose user was deleted by raw SQL would be
    missing, and a planner may join a million rows before it takes fifty.
    """

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = _looked_up(list(self.result_list))


@admin.register(DeviceSession)
class DeviceSessionAdmin(ReadOnlyAdmin):
    """The newest sign-ins first; searched by a session's id or a user's exact name."""

    list_display = ("created_at", "name", "account", "ip_address", "last_used_at", "state")
    list_display_links = ("created_at", "name")
    fields = (
        *("id", "account", "name", "user_agent", "ip_address", "state"),
        *("created_at", "authenticated_at", "last_used_at", "refresh_counter"),
        *("idle_expires_at", "expires_at", "ended_at", "end_reason", "held_at"),
    )
    ordering = ("-created_at",)
    sortable_by = ("created_at",)  # by any other column it would be a million rows each time
    search_fields = ("id",)
    search_help_text = _("A user’s exact name, or a session’s id")
    actions = ("end_sessions",)

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        return _with_place(super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return _with_place(super().get_fields(request, obj))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return SessionList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> DeviceSession | None:
        session = super().get_object(request, object_id, from_field)
        return session and _looked_up([session])[0]

    @admin.display(description=_("user"))
    def account(self, session: Any) -> str:
        """The user, or the key of one who is gone."""
        if session.jwt_revoke_account is None:
            return _("deleted: %(key)s") % {"key": session.user_id}
        return str(session.jwt_revoke_account)

    @admin.display(description=_("state"))
    def state(self, session: Any) -> str:
        """Whether it lives, or why it ended."""
        if session.jwt_revoke_lives:
            return str(_("live"))
        return reason_text(session.end_reason) or str(_("over"))

    @admin.display(description=_("place"))
    def place(self, session: DeviceSession) -> str:
        """Where its address is, by the site's own GeoIP database."""
        return place_of(session.ip_address)

    def matching(self, term: str) -> Q:
        """The sessions of the user of that name, or the one of that id."""
        found = Q(user_id__in=keys_of_users(term))
        with suppress(ValueError):
            found |= Q(pk=UUID(term))
        return found

    def has_end_permission(self, request: HttpRequest) -> bool:
        """A permission of its own: looking is not ending."""
        return request.user.has_perm("jwt_revoke.end_devicesession")

    @admin.action(permissions=["end"], description=_("End selected sessions"))
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[DeviceSession]) -> None:
        """End them as one batch."""
        if queryset.order_by()[: COUNTED + 1].count() > COUNTED:
            # "Select all" of a list that counts no further would end what nobody has seen.
            messages.error(
                request, _("Those are more sessions than the list counts. Search for fewer.")
            )
            return
        ending = list(queryset.filter(ended_at__isnull=True).values_list("pk", flat=True))
        sessions = DeviceSession.objects.using(queryset.db).filter(pk__in=ending)
        try:
            count = api.revoke_sessions(sessions, reason="ended_by_admin")
        except Unavailable:
            tell_unavailable(request)
            return
        note_each(request, sessions, "Ended.")
        text = ngettext("%(count)d session is ended.", "%(count)d sessions are ended.", count)
        messages.success(request, text % {"count": count})


def _with_place(columns: Iterable[Any]) -> list[Any]:
    address = ("ip_address", "place") if is_configured() else ("ip_address",)
    return [
        name for column in columns for name in (address if column == "ip_address" else (column,))
    ]


def _looked_up(sessions: list[Any]) -> list[Any]:
    """``sessions``, each with its account and whether it lives: two statements for all."""
    using = write_alias()
    users = get_user_model()._base_manager.using(using)
    accounts = users.in_bulk({session.user_id for session in sessions})
    keys = [session.pk for session in sessions]
    live = set(live_sessions(using).filter(pk__in=keys).values_list("pk", flat=True))
    for session in sessions:
        session.jwt_revoke_account = accounts.get(session.user_id)
        session.jwt_revoke_lives = session.pk in live and session.user_id in accounts
    return sessions
