"""A read-only admin that stays fast at a million rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import connections
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from ..database import atomically

if TYPE_CHECKING:
    # Generic to the type checker only: Django's classes can't be subscripted at run time.
    _Paginator = Paginator[Any]
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _Paginator = Paginator
    _ModelAdmin = admin.ModelAdmin

PAGE: Final = 1000
"""Rows held in memory at once where a selection may be of any size."""
COUNTED: Final = 10_000


class BoundedPaginator(_Paginator):
    """Counts no further than 10,000 rows: older ones are found by searching."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, or 10,000 when there are more."""
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[:COUNTED].count()


class UntouchableAdmin(_ModelAdmin):
    """Nobody adds, changes or deletes a row here by Django's own forms."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def history_view(
        self,
        request: HttpRequest,
        object_id: str,
        extra_context: Mapping[str, Any] | None = None,
    ) -> HttpResponse:
        # Django's own tells anybody first whether there is such a row.
        if not self.has_view_permission(request):
            raise PermissionDenied
        return super().history_view(request, object_id, dict(extra_context or {}))


class ReadOnlyAdmin(UntouchableAdmin):
    """Rows to look at, however many: the log is append-only and sessions are ended."""

    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50

    @abstractmethod
    def matching(self, term: str) -> Q:
        """What a search finds: by an index each, never by a scan."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(self.matching(term)) if term else queryset), False


def is_superuser(request: HttpRequest) -> bool:
    """Whether the viewer may do what no permission gives."""
    # A site's own user model may lack either.
    user = request.user
    return bool(getattr(user, "is_superuser", False)) and bool(getattr(user, "is_active", True))


@contextmanager
def apart(using: str) -> Iterator[None]:
    """What we read within a page of the site's, so that a failure breaks nothing else of it.

    Without a transaction that is so by itself; one of ours would wait for writers on SQLite.
    """
    is_open = connections[using].in_atomic_block
    with atomically(using, refusable=True) if is_open else nullcontext():
        yield


def keys_of_users(term: str) -> list[Any]:
    """Primary keys of the users of that exact name: an index look-up, never a scan."""
    user = get_user_model()
    try:
        named = user._default_manager.filter(**{user.USERNAME_FIELD: term})
    except (ValueError, ValidationError):  # names that are numbers, or UUIDs
        return []
    return list(named.values_list("pk", flat=True)[:COUNTED])


def note_each(request: HttpRequest, rows: QuerySet[Any], text: str) -> None:
    """``note`` of any number of rows."""
    page: list[Any] = []
    for row in rows.iterator(PAGE):
        page.append(row)
        if len(page) == PAGE:
            note(request, page, text)
            page = []
    note(request, page, text)


def tell_unavailable(request: HttpRequest) -> None:
    """Say that nothing was done."""
    messages.error(request, _("The database did not answer. Nothing was done: try again."))


def note(request: HttpRequest, rows: list[Any], text: str) -> None:
    """One entry in the admin's own history for each of ``rows``.

    The text is stored, so it is not in the language of whoever pressed the button.
    """
    LogEntry.objects.log_actions(
        cast("int", request.user.pk), cast("QuerySet[Any]", rows), CHANGE, change_message=text
    )
