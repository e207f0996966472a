"""The red button, for superusers alone: a page that says what would happen, then a POST."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import Fieldset
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .. import api
from ..database import persistently
from ..exceptions import Unavailable
from ..insights import LiveSessions, live_session_count
from ..models import EFFECT_SESSION, Revocation, SigningKey, write_alias
from ..reasons import PICKED
from .logout import admin_url
from .logout_forms import EffectForm
from .numbers import grouped
from .pages import page, page_url
from .readonly import is_superuser, tell_unavailable

EVERYONE: Final = "everyone"
"""The name of the page."""
TITLE: Final = _("Log everybody out")
WORD: Final = pgettext_lazy("the word to type", "everyone")
REASONS: Final = ("suspicious_activity", "account_compromised", "maintenance", "other")
"""Those that can be true of everybody."""


class EveryoneForm(EffectForm):
    """The same, and a word that nobody types by mistake."""

    reason = forms.ChoiceField(
        label=_("Reason"),
        choices=[(reason, PICKED[reason]) for reason in REASONS],
        initial="other",
    )
    word = forms.CharField(
        label=format_lazy(_("Type “{word}” to confirm"), word=WORD),
        max_length=50,
        # A browser that fills it in, or keeps it over "back", would make it no question at all.
        widget=AdminTextInputWidget(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
        ),
    )
    field_order = ("effect", "reason", "note", "word")

    def clean_word(self) -> str:
        """The word, in whatever case."""
        typed: str = self.cleaned_data["word"]
        if typed.casefold() != str(WORD).casefold():
            text = _("This is not “%(word)s”. Nobody was logged out.")
            raise ValidationError(text, params={"word": WORD})
        return typed


def everyone_url(site: AdminSite, request: HttpRequest) -> str:
    """Where it is, ``""`` for whoever may not press it."""
    return page_url(site, Revocation._meta, EVERYONE) if is_superuser(request) else ""


def everyone_view(model_admin: admin.ModelAdmin[Any], request: HttpRequest) -> HttpResponse:
    """GET shows whom it would affect; POST, with the word, does it, whoever is affected by then."""
    if not is_superuser(request):
        raise PermissionDenied
    site, log_url = model_admin.admin_site, admin_url(model_admin, "changelist")
    # Any: a type stub has the admin's markup for forms of models alone.
    form: Any = EveryoneForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and _is_done(request, form.cleaned_data):
        return HttpResponseRedirect(log_url)
    live = _live_sessions()
    context = {
        "title": TITLE,
        "list_url": log_url,
        "keys_url": page_url(site, SigningKey._meta, "changelist"),
        "live": live,
        "sessions": grouped(live.count) if live else "",
        "fieldset": Fieldset(form, fields=list(form.fields)),
    }
    return page(site, request, "jwt_revoke/admin/everyone.html", model_admin.opts, context)


def _is_done(request: HttpRequest, data: dict[str, str]) -> bool:
    effect = data["effect"]
    try:
        api.revoke_everyone(effect=effect, reason=data["reason"], note=data["note"])
    except Unavailable:
        tell_unavailable(request)
        return False
    text = (
        _("Everybody is logged out: all sessions have ended.")
        if effect == EFFECT_SESSION
        else _("All access tokens are revoked. Devices refresh by themselves.")
    )
    messages.success(request, text)
    return True


def _live_sessions() -> LiveSessions | None:
    """``None`` where the database does not tell: the button works all the same."""
    using = write_alias()
    try:
        return persistently(using, live_session_count, using)
    except Unavailable:
        return None
