"""The revocation log in the admin: read-only for everyone."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Final, cast
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import URLPattern, path
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ..log import one_line
from ..models import SCOPE_SESSION, SCOPE_USER, DeviceSession, Revocation, write_alias
from ..reasons import reason_text
from .accounts import names_of, possible_keys
from .button import OBJECT_TOOL
from .everyone import EVERYONE, everyone_view
from .log_export import FORMATS, FileFormat, exported
from .log_filters import (
    EFFECTS,
    SCOPES,
    SINCE,
    UNTIL,
    ActorFilter,
    EffectFilter,
    ReasonFilter,
    ScopeFilter,
    TimeFilter,
)
from .pages import guarded, page_url, url_name
from .readonly import COUNTED, BoundedPaginator, ReadOnlyAdmin, keys_of_users

logger: Final = logging.getLogger("jwt_revoke")

_SESSIONS: Final = 1000
"""Sessions of a user whose own entries a search for the user finds: those that ended last."""
_LOGGED: Final = 40
"""Characters of the longest filter that our log repeats: it may be a token, pasted by mistake, and
of a part of one nobody wants to prove that it is of no use."""
_FILTERS: Final = (TimeFilter, ActorFilter, ScopeFilter, EffectFilter, ReasonFilter)
_LOOKUPS: Final = frozenset({"batch", SINCE, UNTIL, *(kind.parameter_name for kind in _FILTERS)})


class FoundPaginator(BoundedPaginator):
    """Reads the keys once, to count them and to show a page: what is rare costs one scan."""

    @cached_property
    def found(self) -> list[int]:
        """The keys that the list can show, the newest first."""
        entries = cast("QuerySet[Revocation]", self.object_list)
        return list(entries.values_list("pk", flat=True)[:COUNTED])

    @cached_property
    def count(self) -> int:
        """How many entries there are, or 10,000 when there are more."""
        return len(self.found)


class RevocationList(ChangeList):
    """A page of entries, with the names of those whom it mentions."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return ["-pk"]  # whatever the address asks for: by any other it would be a million rows

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        keys = self.paginator.found
        if self.multi_page and not (self.show_all and self.can_show_all):
            first = (self.page_num - 1) * self.list_per_page
            keys = keys[first : first + self.list_per_page]
        entries = self.root_queryset.filter(pk__in=keys).order_by("-pk")
        self.result_list = _with_names(list(entries))


@admin.register(Revocation)
class RevocationAdmin(ReadOnlyAdmin):
    """The newest first; searched by a user's exact name or by the subject itself."""

    list_display = (
        *("created_at", "scope_text", "subject_text", "effect_text", "reason_and_note"),
        "actor_text",
    )
    list_filter = _FILTERS
    fields = (
        *("created_at", "scope_text", "subject_text", "effect_text", "version"),
        *("reason_in_full", "actor_in_full", "note", "batch_link"),
        *("uid", "sequence", "expires_at"),
    )
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER  # a count over the whole log for every choice
    actions = None
    paginator = FoundPaginator
    change_list_template = "jwt_revoke/admin/log.html"
    search_fields = ("subject",)
    search_help_text = _("A user’s exact name or key, a session’s id, or a token’s jti")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Whoever has just revoked must find it, and an export stays with one database.
        return super().get_queryset(request).using(write_alias())

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RevocationList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Revocation | None:
        entry = super().get_object(request, object_id, from_field)
        return entry and _with_names([entry])[0]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Django lets any column be searched in any way, by a regular expression too.
        return lookup in _LOOKUPS

    def matching(self, term: str) -> Q:
        """Entries of that subject, or of the user of that name or key and their sessions."""
        users = {*keys_of_users(term), *possible_keys([term])}
        # By the index on user and end: a user of many years has any number of sessions.
        ended = DeviceSession.objects.using(write_alias()).filter(
            user_id__in=users, ended_at__isnull=False
        )
        sessions = ended.order_by("-ended_at").values_list("pk", flat=True)[:_SESSIONS]
        # The scope is named, all of them, because the index begins with it. Two conditions: one
        # of a thousand subjects and more MariaDB makes a subquery, and reads the log for it.
        return Q(scope__in=list(SCOPES), subject__in={term, *map(str, users)}) | Q(
            scope=SCOPE_SESSION, subject__in=list(map(str, sessions))
        )

    def get_urls(self) -> list[URLPattern]:
        def export(file_format: FileFormat) -> URLPattern:
            view = guarded(self.admin_site, partial(self._export_view, file_format))
            name = url_name(self.opts, f"export_{file_format.name}")
            return path(f"export/{file_format.name}/", view, name=name)

        view = guarded(self.admin_site, partial(everyone_view, self))
        everyone = path("everyone/", view, name=url_name(self.opts, EVERYONE))
        return [*map(export, FORMATS.values()), everyone, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        exports = [
            (self._url(f"export_{file_format.name}"), file_format.label)
            for file_format in FORMATS.values()
        ]
        context = {"exports": exports, "tool": OBJECT_TOOL, **(extra_context or {})}
        return super().changelist_view(request, context)

    def _export_view(self, file_format: FileFormat, request: HttpRequest) -> HttpResponseBase:
        """All that the list shows under the same filters, beyond what it counts too."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        try:
            shown = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"{self._url('changelist')}?e=1")
        logger.info(
            "Revocations exported: actor=%s format=%s filter=%s",
            *(one_line(str(request.user.pk)), file_format.name),
            urlencode({name: _short(value) for name, value in shown.params.items()}),
        )
        return exported(request, shown.queryset, file_format)

    def _url(self, name: str) -> str:
        return page_url(self.admin_site, self.opts, name)

    @admin.display(description=_("scope"))
    def scope_text(self, entry: Revocation) -> str:
        """What was revoked, in words."""
        return str(SCOPES.get(entry.scope, entry.scope))

    @admin.display(description=_("subject"))
    def subject_text(self, entry: Any) -> str:
        """The user's name and key, or the subject as it stands."""
        if entry.scope != SCOPE_USER:
            return entry.subject or self.get_empty_value_display()
        name = entry.jwt_revoke_names.get(entry.subject)
        return (
            _("deleted: %(key)s") % {"key": entry.subject}
            if name is None
            else _both(name, entry.subject)
        )

    @admin.display(description=_("effect"))
    def effect_text(self, entry: Revocation) -> str:
        """How far it went, in words."""
        return str(EFFECTS.get(entry.effect, entry.effect))

    @admin.display(description=_("reason"))
    def reason_and_note(self, entry: Revocation) -> str:
        """Why, in words; the slug is at hand for who filters by it."""
        words = reason_text(entry.reason)
        return format_html(
            '<span title="{}">{}</span><div class="quiet">{}</div>', entry.reason, words, entry.note
        )

    @admin.display(description=_("reason"))
    def reason_in_full(self, entry: Revocation) -> str:
        """Why, in words and as the log has it."""
        return _both(reason_text(entry.reason), entry.reason)

    @admin.display(description=_("actor"))
    def actor_text(self, entry: Any) -> str:
        """By whom: the user's name where there is such a user, or what the site gave."""
        return (
            entry.jwt_revoke_names.get(entry.actor, entry.actor) or self.get_empty_value_display()
        )

    @admin.display(description=_("actor"))
    def actor_in_full(self, entry: Any) -> str:
        """By whom, with the key."""
        return _both(self.actor_text(entry), entry.actor)

    @admin.display(description=_("batch"))
    def batch_link(self, entry: Revocation) -> str:
        """Leads to what was revoked with it."""
        if entry.batch is None:
            return self.get_empty_value_display()
        return format_html(
            '<a href="{}?batch={}">{}</a>', self._url("changelist"), *[entry.batch] * 2
        )


def _short(value: str) -> str:
    return value if len(value) <= _LOGGED else "..."


def _both(words: str, as_it_stands: str) -> str:
    return words if as_it_stands in {words, ""} else f"{words} ({as_it_stands})"


def _with_names(entries: list[Any]) -> list[Any]:
    """``entries``, each with the names of the actors and users of all: one statement."""
    users = {entry.subject for entry in entries if entry.scope == SCOPE_USER}
    names = names_of({entry.actor for entry in entries} | users)
    for entry in entries:
        entry.jwt_revoke_names = names
    return entries
