"""Log out everywhere, by an administrator: a page that says what it will do, then a POST."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import django
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from .. import api
from ..exceptions import Unavailable
from ..models import DeviceSession, database
from ..standing import live_sessions
from .readonly import note_each

PERMISSION: Final = "jwt_revoke.revoke_tokens"
REASON: Final = "logout_all"
NOTE: Final = "Logged out everywhere."
_SHOWN: Final = 20
"""Sessions listed by name; of more only the number is told."""


def may_log_out(model_admin: admin.ModelAdmin[Any], request: HttpRequest, user: Any = None) -> bool:
    """Whether the viewer may change that user, and has the permission for this."""
    return request.user.has_perm(PERMISSION) and model_admin.has_change_permission(request, user)


def logout_view(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, object_id: str
) -> HttpResponse:
    """GET shows what would end; POST ends it."""
    user = model_admin.get_object(request, unquote(object_id))
    if user is None:
        raise Http404
    if not may_log_out(model_admin, request, user):
        raise PermissionDenied
    site, opts = model_admin.admin_site, model_admin.opts
    back = reverse(
        f"{site.name}:{opts.app_label}_{opts.model_name}_change",
        args=[quote(user.pk)],
        current_app=site.name,
    )
    if request.method != "POST":
        return _confirmation(
            model_admin, request, live_sessions_of([user.pk]), account=user, back=back
        )
    try:
        api.revoke_user(user.pk, reason=REASON)
    except Unavailable:
        _tell_unavailable(request)
    else:
        model_admin.log_change(request, user, NOTE)
        messages.success(request, _("“%(user)s” is logged out everywhere.") % {"user": user})
    return HttpResponseRedirect(back)


@admin.action(
    permissions=["revoke_tokens"],
    description=_("Log out everywhere (selected %(verbose_name_plural)s)"),
)
def log_out_selected(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, queryset: QuerySet[Any]
) -> HttpResponse | None:
    """The same for a selection of the list, set-based."""
    if "jwt_revoke_confirmed" not in request.POST:
        sessions = live_sessions_of(queryset.order_by().values("pk"))
        return _confirmation(model_admin, request, sessions, queryset=queryset)
    try:
        count = api.revoke_users(queryset, reason=REASON)
    except Unavailable:
        _tell_unavailable(request)
        return None
    note_each(request, queryset, NOTE)
    text = ngettext(
        "%(count)d user is logged out everywhere.",
        "%(count)d users are logged out everywhere.",
        count,
    )
    messages.success(request, text % {"count": count})
    return None


def live_sessions_of(users: Any) -> QuerySet[DeviceSession]:
    """The live sessions of those users, the last used first."""
    return live_sessions(database()).filter(Q(user_id__in=users)).order_by("-last_used_at")


def _confirmation(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    sessions: QuerySet[DeviceSession],
    **context: Any,
) -> TemplateResponse:
    site, opts = model_admin.admin_site, model_admin.opts
    queryset: QuerySet[Any] | None = context.get("queryset")
    shown: Iterable[DeviceSession] = sessions[:_SHOWN] if queryset is None else []
    request.current_app = site.name
    return TemplateResponse(
        request,
        "jwt_revoke/admin/log_out_everywhere.html",
        {
            **site.each_context(request),
            **context,
            "title": _("Log out everywhere"),
            "opts": opts,
            "sessions": list(shown),
            "session_count": sessions.order_by().count(),
            "is_bulk": queryset is not None,
            "user_count": 1 if queryset is None else queryset.count(),
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "action": log_out_selected.__name__,
            "breadcrumbs_are_a_list": django.VERSION >= (6, 0),
        },
    )


def _tell_unavailable(request: HttpRequest) -> None:
    messages.error(request, _("The database did not answer. Nothing was done: try again."))
