"""A selection of the list of users logged out everywhere: a page a step, each a POST of its own.

So no request lasts longer than one page takes, whatever the selection (but that an admin which
guards some users is asked about all of them first). What is done is done, and a run that was
interrupted is begun again, or gone on with, without harm.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, ngettext_lazy

from .. import api
from ..ages import ago
from ..exceptions import Unavailable
from ..models import EFFECT_ACCESS, EFFECT_SESSION, write_alias
from ..standing import live_sessions
from .accounts import key_name, key_of
from .logout import NOTES, TITLE, admin_url, asked, may_log_out
from .logout_forms import EffectForm, RunForm
from .numbers import grouped
from .pages import page
from .readonly import PAGE, note, tell_unavailable

CONFIRMED: Final = "jwt_revoke_confirmed"
PAUSE: Final = 300
"""Milliseconds between two steps, in which others have the database."""
_DONE: Final = {
    EFFECT_SESSION: ngettext_lazy(
        "%(count)d user is logged out everywhere.",
        "%(count)d users are logged out everywhere.",
        "count",
    ),
    EFFECT_ACCESS: ngettext_lazy(
        "The access tokens of %(count)d user are revoked; the devices refresh by themselves.",
        "The access tokens of %(count)d users are revoked; the devices refresh by themselves.",
        "count",
    ),
}


@admin.action(
    permissions=["revoke_tokens"],
    description=_("Log out everywhere (selected %(verbose_name_plural)s)"),
)
def log_out_selected(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, queryset: QuerySet[Any]
) -> HttpResponse | None:
    """Asks first; then does one page of the selection, and ends or goes on."""
    form = EffectForm(request.POST if CONFIRMED in request.POST else None)
    run = RunForm(request.POST)
    is_asked = not (form.is_valid() and run.is_valid())
    if (is_asked or run.cleaned_data["after"] is None) and _judges_each(model_admin):
        # All of them before the first: else one who is guarded would be found half-way.
        _require(model_admin, request, queryset.iterator(PAGE))
    if is_asked:
        context = _selection(request) | _totals(queryset)
        return asked(model_admin, request, form, context)
    step = Step(model_admin, request, queryset, form, **run.cleaned_data)
    return step.take()


def _judges_each(model_admin: admin.ModelAdmin[Any]) -> bool:
    """Whether the site's admin may guard some users, its superusers say; Django's own does not,
    and need not be asked about a million.
    """
    method = getattr(model_admin.has_change_permission, "__func__", None)
    return method is not admin.ModelAdmin.has_change_permission


def _require(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, users: Iterable[Any]
) -> None:
    # All are read, whoever is refused: PostgreSQL's cursor must not be left open half-way.
    refused = sum(not may_log_out(model_admin, request, user) for user in users)
    if refused:
        raise PermissionDenied


def _totals(queryset: QuerySet[Any]) -> dict[str, Any]:
    using = write_alias()  # whatever alias the site's admin reads its list from
    keys = queryset.using(using).order_by().values(key_name())
    sessions = live_sessions(using).filter(user_id__in=keys)
    found = sessions.aggregate(count=Count("pk"), last_used=Max("last_used_at"))
    users, last_used = queryset.count(), found["last_used"]
    return {
        "users": grouped(users),
        "sessions": grouped(found["count"]),
        "last_used": last_used,
        "last_used_ago": last_used and ago(last_used),
        "steps_of": grouped(PAGE) if users > PAGE else "",
    }


@dataclass(frozen=True, slots=True)
class Step:
    """The next page of the selection, by the users' keys: those ``after`` whom are done."""

    model_admin: admin.ModelAdmin[Any]
    request: HttpRequest
    queryset: QuerySet[Any]
    form: EffectForm
    after: Any
    done: int

    def take(self) -> HttpResponse | None:
        """Log them out. The page that goes on, or ``None`` where there is nothing to go on with."""
        users = list(self._beyond(self.after).order_by(key_name())[:PAGE])
        _require(self.model_admin, self.request, users)
        # These very users, who were judged, and not whom the selection holds by now.
        keys = list(dict.fromkeys(map(key_of, users)))
        chosen = get_user_model()._base_manager.filter(pk__in=keys)
        effect = self.form.cleaned_data["effect"]
        try:
            api.revoke_users(chosen, **self.form.cleaned_data)
        except Unavailable:
            if self.after is not None:
                return self._progress(self.after, self.done, self._left(self.after), failed=True)
            tell_unavailable(self.request)
            return None
        note(self.request, users, NOTES[effect])
        done = self.done + len(keys)
        if len(users) == PAGE and (left := self._left(keys[-1])):
            return self._progress(keys[-1], done, left)
        messages.success(self.request, _DONE[effect] % {"count": done})
        return None

    def _beyond(self, key: Any) -> QuerySet[Any]:
        if key is None:
            return self.queryset
        return self.queryset.filter(**{f"{key_name()}__gt": key})

    def _left(self, key: Any) -> int:
        return self._beyond(key).order_by().count()

    def _progress(self, after: Any, done: int, left: int, *, failed: bool = False) -> HttpResponse:
        total = done + left
        of_all = ngettext(
            "%(done)s of %(total)s user is done.", "%(done)s of %(total)s users are done.", total
        )
        remaining = ngettext("%(left)s user remains.", "%(left)s users remain.", left)
        context = _selection(self.request) | {
            "title": TITLE,
            "list_url": admin_url(self.model_admin, "changelist"),
            "form": self.form,
            "run": RunForm(initial={"after": after, "done": done}),
            "done": done,
            "total": total,
            "of_all": of_all % {"done": grouped(done), "total": grouped(total)},
            "remaining": remaining % {"left": grouped(left)},
            "pause": None if failed else PAUSE,
        }
        template = "jwt_revoke/admin/log_out_progress.html"
        return page(
            self.model_admin.admin_site, self.request, template, self.model_admin.opts, context
        )


def _selection(request: HttpRequest) -> dict[str, Any]:
    """What every page of a run posts again, and where the list is."""
    selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
    # As the admin's own form of actions reads it.
    across = forms.BooleanField(required=False).to_python(request.POST.get("select_across"))
    return {
        "is_bulk": True,
        "back": request.get_full_path(),
        "action": log_out_selected.__name__,
        "action_checkbox_name": ACTION_CHECKBOX_NAME,
        "select_across": across,
        # Of a selection across pages Django wants to see one that is ticked, and looks at none.
        "selected": selected[:1] if across else selected,
        "confirmed": CONFIRMED,
    }
