"""Log out everywhere, by an administrator: a page that says what it will do, then a POST."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import quote, unquote
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from .. import api
from ..exceptions import Unavailable
from ..models import DeviceSession, write_alias
from ..standing import live_sessions
from .pages import index_url, page, page_url
from .readonly import PAGE, note_each, tell_unavailable

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
    # Refused first: who may not do this is not told either which users there are.
    if not may_log_out(model_admin, request, user):
        raise PermissionDenied
    if user is None:
        raise Http404
    key = getattr(user, _key())
    back = _page(model_admin, "change", quote(user.pk))
    if request.method != "POST":
        sessions = _live_sessions_of([key])
        context = {
            "account": user,
            "back": back,
            "listed": list(sessions.order_by("-last_used_at")[:_SHOWN]),
        }
        return _confirmation(model_admin, request, sessions, context)
    try:
        api.revoke_user(key, reason=REASON)
    except Unavailable:
        tell_unavailable(request)
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
    # A site's admin may guard some users, its superusers say, one by one.
    if not all(may_log_out(model_admin, request, user) for user in queryset.iterator(PAGE)):
        raise PermissionDenied
    keys = queryset.order_by().values(_key())
    if "jwt_revoke_confirmed" not in request.POST:
        context = {
            "is_bulk": True,
            "back": request.get_full_path(),
            "user_count": queryset.count(),
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "action": log_out_selected.__name__,
        }
        return _confirmation(model_admin, request, _live_sessions_of(keys), context)
    users = get_user_model()._base_manager.filter(pk__in=keys)
    try:
        count = api.revoke_users(users, reason=REASON)
    except Unavailable:
        tell_unavailable(request)
        return None
    note_each(request, queryset, NOTE)
    text = ngettext(
        "%(count)d user is logged out everywhere.",
        "%(count)d users are logged out everywhere.",
        count,
    )
    messages.success(request, text % {"count": count})
    return None


def _key() -> str:
    """Where an account keeps the user's key: a child model may have another key of its own."""
    return str(get_user_model()._meta.pk.attname)


def _live_sessions_of(users: Any) -> QuerySet[DeviceSession]:
    return live_sessions(write_alias()).filter(user_id__in=users)


def _page(model_admin: admin.ModelAdmin[Any], name: str, *args: str) -> str:
    """The address of a page of this admin; the index where the site has left that page out."""
    site = model_admin.admin_site
    return page_url(site, model_admin.opts, name, *args) or index_url(site)


def _confirmation(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    sessions: QuerySet[DeviceSession],
    context: dict[str, Any],
) -> TemplateResponse:
    context |= {
        "title": _("Log out everywhere"),
        "list_url": _page(model_admin, "changelist"),
        "session_count": sessions.count(),
    }
    template = "jwt_revoke/admin/log_out_everywhere.html"
    return page(model_admin.admin_site, request, template, model_admin.opts, context)
