"""One session ended from its user's page: a page that asks why, then a POST."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import Fieldset
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext_lazy as _

from .. import api
from ..ages import ago
from ..exceptions import Unavailable
from ..models import DeviceSession, write_alias
from ..places import place_of
from ..reasons import PICKED, REASONS
from ..standing import live_sessions
from .accounts import key_of
from .logout import admin_url
from .logout_forms import ReasonForm
from .pages import page
from .readonly import tell_unavailable

END_SESSION: Final = "end_session"
"""The name of the page."""
PERMISSION: Final = "jwt_revoke.end_devicesession"
NOTE: Final = "Ended a session."
_REASONS: Final = ("ended_by_admin", *(reason for reason in PICKED if reason != "logout_all"))
"""Nobody asks for one session to be logged out everywhere."""


class EndSessionForm(ReasonForm):
    """Why one session ends."""

    reason = forms.ChoiceField(
        label=_("Reason"), choices=[(reason, REASONS[reason]) for reason in _REASONS]
    )


def may_end(model_admin: admin.ModelAdmin[Any], request: HttpRequest, user: Any = None) -> bool:
    """Whether the viewer may change that user, and has the permission for this."""
    return request.user.has_perm(PERMISSION) and model_admin.has_change_permission(request, user)


def end_session_view(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, object_id: str, session_id: UUID
) -> HttpResponse:
    """GET says what would end; POST ends it."""
    user = model_admin.get_object(request, unquote(object_id))
    # Refused first: who may not do this is not told either which users there are.
    if not may_end(model_admin, request, user):
        raise PermissionDenied
    if user is None:
        raise Http404
    session = _session_of(user, session_id)
    back = admin_url(model_admin, "change", quote(user.pk))
    if not live_sessions(write_alias()).filter(pk=session.pk).exists():
        _tell_over(request, session)
        return HttpResponseRedirect(back)
    # Any: a type stub has the admin's markup for forms of models alone.
    form: Any = EndSessionForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        _end(model_admin, request, user, session, form.cleaned_data)
        return HttpResponseRedirect(back)
    context = {
        "title": _("End the session"),
        "list_url": admin_url(model_admin, "changelist"),
        "account": user,
        "back": back,
        "session": session,
        "place": place_of(session.ip_address),
        "last_used": ago(session.last_used_at),
        "fieldset": Fieldset(form, fields=list(form.fields)),
    }
    template = "jwt_revoke/admin/end_session.html"
    return page(model_admin.admin_site, request, template, model_admin.opts, context)


def _session_of(user: Any, session_id: UUID) -> DeviceSession:
    theirs = DeviceSession.objects.using(write_alias()).filter(user_id=key_of(user))
    session = theirs.filter(pk=session_id).first()
    if session is None:
        raise Http404
    return session


def _end(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    user: Any,
    session: DeviceSession,
    cause: dict[str, str],
) -> None:
    try:
        has_ended = api.revoke_session(session, reason=cause["reason"], note=cause["note"])
    except Unavailable:
        tell_unavailable(request)
        return
    if not has_ended:  # by somebody else, a moment ago
        _tell_over(request, session)
        return
    model_admin.log_change(request, user, NOTE)
    messages.success(request, _("The session on “%(device)s” is ended.") % {"device": session})


def _tell_over(request: HttpRequest, session: DeviceSession) -> None:
    text = _("The session on “%(device)s” was over already. Nothing was done.")
    messages.info(request, text % {"device": session})
