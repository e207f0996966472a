"""One user logged out everywhere: a page that says what it will do, then a POST.

``bulk_logout.py`` does the same to a selection of the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME, Fieldset
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from .. import api
from ..exceptions import Unavailable
from ..models import EFFECT_ACCESS, EFFECT_SESSION, write_alias
from ..places import is_configured
from ..standing import live_sessions
from .accounts import key_of
from .listed import listed
from .logout_forms import EffectForm
from .pages import index_url, page, page_url
from .readonly import tell_unavailable

LOG_OUT: Final = "log_out_everywhere"
"""The name of the page that asks."""
TITLE: Final = _("Log out everywhere")
PERMISSION: Final = "jwt_revoke.revoke_tokens"
NOTES: Final[Mapping[str, str]] = {
    EFFECT_SESSION: "Logged out everywhere.",
    EFFECT_ACCESS: "Access tokens revoked.",
}
"""What the admin's own history keeps, by the effect."""
_DONE: Final = {
    EFFECT_SESSION: _("“%(user)s” is logged out everywhere."),
    EFFECT_ACCESS: _(
        "The access tokens of “%(user)s” are revoked; the devices refresh by themselves."
    ),
}


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
    back = admin_url(model_admin, "change", quote(user.pk))
    form = EffectForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        sessions = live_sessions(write_alias()).filter(user_id=key_of(user))
        context = {
            "account": user,
            "back": back,
            "session_count": sessions.count(),
            "listed": listed(sessions),
            "has_places": is_configured(),
        }
        return asked(model_admin, request, form, context)
    try:
        api.revoke_user(key_of(user), **form.cleaned_data)
    except Unavailable:
        tell_unavailable(request)
    else:
        effect = form.cleaned_data["effect"]
        model_admin.log_change(request, user, NOTES[effect])
        messages.success(request, _DONE[effect] % {"user": user})
    return HttpResponseRedirect(back)


@admin.action(permissions=["revoke_tokens"], description=TITLE)
def log_out_user(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, queryset: QuerySet[Any]
) -> HttpResponse:
    """An action on the page of one user: leads to the page that asks."""
    # Django has compared it with the key of the user whose page it is.
    key = request.POST[ACTION_CHECKBOX_NAME]
    return HttpResponseRedirect(admin_url(model_admin, LOG_OUT, quote(key)))


_ON_A_FORM: Final = [
    place for place in getattr(admin, "ActionLocation", ()) if place.name == "CHANGE_FORM"
]
# What admin.action(location=…) sets: an attribute of a function, unknown to its type.
log_out_user.locations = _ON_A_FORM  # type: ignore[attr-defined]
FORM_ACTIONS: Final = [log_out_user] if _ON_A_FORM else []
"""Actions for the page of one user; none before Django 6.1, which has no such place."""


def admin_url(model_admin: admin.ModelAdmin[Any], name: str, *args: str) -> str:
    """The address of a page of this admin; the index where the site has left that page out."""
    site = model_admin.admin_site
    return page_url(site, model_admin.opts, name, *args) or index_url(site)


def asked(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    # Any: a type stub has the admin's markup for forms of models alone.
    form: Any,
    context: dict[str, Any],
) -> TemplateResponse:
    """The page that says what would be done, with ``form`` as it stands."""
    context |= {
        "title": TITLE,
        "list_url": admin_url(model_admin, "changelist"),
        "fieldset": Fieldset(form, fields=list(form.fields)),
    }
    template = "jwt_revoke/admin/log_out_everywhere.html"
    return page(model_admin.admin_site, request, template, model_admin.opts, context)
