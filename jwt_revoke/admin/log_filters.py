"""The filters of the revocation log. None asks the log which values it holds: a million rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ..models import (
    EFFECT_ACCESS,
    EFFECT_SESSION,
    SCOPE_EVERYONE,
    SCOPE_SESSION,
    SCOPE_TOKEN,
    SCOPE_USER,
    Revocation,
)
from ..reasons import REASONS
from .readonly import keys_of_users

SCOPES: Final[Mapping[str, str | Promise]] = {
    SCOPE_TOKEN: _("Access token"),
    SCOPE_SESSION: _("Session"),
    SCOPE_USER: _("User"),
    SCOPE_EVERYONE: _("Everyone"),
}
EFFECTS: Final[Mapping[str, str | Promise]] = {
    EFFECT_SESSION: _("Signed out"),
    EFFECT_ACCESS: _("Access tokens only"),
}
PERIODS: Final[Mapping[str, tuple[str | Promise, timedelta]]] = {
    "1h": (_("Past hour"), timedelta(hours=1)),
    "24h": (_("Past 24 hours"), timedelta(hours=24)),
    "7d": (_("Past 7 days"), timedelta(days=7)),
    "30d": (_("Past 30 days"), timedelta(days=30)),
    "90d": (_("Past 90 days"), timedelta(days=90)),
}
NOBODY: Final = "-"
"""Who is really called that is found by the key."""
SINCE: Final = "since"
UNTIL: Final = "until"
_LONGEST: Final = 255


class WordFilter(admin.SimpleListFilter):
    """By the exact value of a column. One that is no choice becomes one, shown as it stands."""

    parameter_name: str
    words: Mapping[str, str | Promise]

    def value(self) -> str | None:
        """What was asked for; nothing was by an empty value, which forms send.

        Raises ``IncorrectLookupParameters`` for what no column could hold.
        """
        value = super().value() or None
        if value is not None and ("\0" in value or len(value) > _LONGEST):
            raise IncorrectLookupParameters
        return value

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, Any]]:
        value = self.value()
        other = {} if value is None or value in self.words else {value: value}
        return [*self.words.items(), *other.items()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Revocation]
    ) -> QuerySet[Revocation]:
        value = self.value()
        return queryset if value is None else queryset.filter(**{self.parameter_name: value})


class ReasonFilter(WordFilter):
    """Why."""

    title = _("reason")
    parameter_name = "reason"
    words = REASONS


class ScopeFilter(WordFilter):
    """What was revoked."""

    title = _("scope")
    parameter_name = "scope"
    words = SCOPES


class EffectFilter(WordFilter):
    """How far it went."""

    title = _("effect")
    parameter_name = "effect"
    words = EFFECTS


class ActorFilter(WordFilter):
    """By whom: nobody, the viewer, or whoever is typed in."""

    title = _("actor")
    parameter_name = "actor"
    template = "jwt_revoke/admin/log_actor_filter.html"
    form_id = "jwt-revoke-by-actor"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, Any]]:
        self.words = {NOBODY: _("Nobody known"), str(request.user.pk): _("Me")}
        return super().lookups(request, model_admin)

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Revocation]
    ) -> QuerySet[Revocation]:
        value = self.value()
        if value is None:
            return queryset
        if value == NOBODY:
            return queryset.filter(actor="")
        return queryset.filter(actor__in={value, *map(str, keys_of_users(value))})

    @property
    def typed(self) -> str:
        """What stands in the field: whoever is no choice of its own."""
        value = self.value()
        return "" if value is None or value in self.words else value


class TimeFilter(WordFilter):
    """When: a period up to now, or whole days in the viewer's time zone."""

    title = _("time")
    parameter_name = "time"
    template = "jwt_revoke/admin/log_time_filter.html"
    form_id = "jwt-revoke-by-time"
    words = {name: words for name, (words, _length) in PERIODS.items()}

    def __init__(
        self,
        request: HttpRequest,
        params: dict[str, Any],
        model: type[Revocation],
        model_admin: admin.ModelAdmin[Any],
    ) -> None:
        self.since, self.until = (_day(params.pop(name, [""])[-1]) for name in (SINCE, UNTIL))
        super().__init__(request, params, model, model_admin)

    def value(self) -> str | None:
        value = super().value()
        if value is not None and value not in PERIODS:
            raise IncorrectLookupParameters
        return value

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter_name, SINCE, UNTIL]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        by_days = self.since is not None or self.until is not None
        for choice, name in zip(super().choices(changelist), [None, *self.words], strict=True):
            link = changelist.get_query_string({self.parameter_name: name}, remove=[SINCE, UNTIL])
            yield {
                **choice,
                "query_string": link,
                "selected": choice["selected"] and not by_days,
            }
        if by_days:
            # Not only in the fields: some themes make a box of the choices.
            yield {
                "selected": True,
                "query_string": changelist.get_query_string(),
                "display": _("Chosen days"),
            }

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Revocation]
    ) -> QuerySet[Revocation]:
        value = self.value()
        if value is not None:
            _words, length = PERIODS[value]
            queryset = queryset.filter(created_at__gte=timezone.now() - length)
        if self.since is not None:
            queryset = queryset.filter(created_at__gte=_start(self.since))
        if self.until is not None:
            queryset = queryset.filter(created_at__lt=_start(self.until + timedelta(days=1)))
        return queryset


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise IncorrectLookupParameters from error
    # The first and the last year are no moments in every time zone.
    if day.year in {date.min.year, date.max.year}:
        raise IncorrectLookupParameters
    return day


def _start(day: date) -> datetime:
    moment = datetime.combine(day, time.min)
    return timezone.make_aware(moment) if settings.USE_TZ else moment
