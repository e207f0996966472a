"""Signing keys in the admin, for superusers alone: how each stands, and what can be done.

Whatever is done begins as a link to a page that says what will follow, and that page's POST
does it. Nothing of a private key is on any page, not even encrypted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.helpers import Fieldset
from django.contrib.admin.utils import label_for_field, quote, unquote
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..conf import conf
from ..database import persistently
from ..exceptions import Unavailable
from ..key_listing import COMPROMISED, ListedKey, listed
from ..models import SigningKey, write_alias
from ..signing_keys import KeyRefused
from .key_changes import STORE, TIME, Compromise, Create, KeyChange, Retire, Rotate
from .pages import guarded, page, page_url, url_name
from .readonly import UntouchableAdmin, is_superuser, tell_unavailable

KEPT: Final[Mapping[str, str | Promise]] = {
    "settings": _("settings"),
    "files": _("files"),
    STORE: _("database"),
    "": "–",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One key of the list, and where its links lead; ``""`` for a link that it has not."""

    key: ListedKey
    state: str
    kept: str
    terms: tuple[datetime | None, ...]
    page: str
    retire: str
    compromised: str


@admin.register(SigningKey)
class SigningKeyAdmin(UntouchableAdmin):
    """All keys, those of the settings and files too; no permission opens it to anybody else."""

    fields = (
        *("kid", "algorithm", "public", "created_at"),
        *("not_before", "signs_until", "verifies_until", "compromised_at"),
    )

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return is_superuser(request)

    def get_urls(self) -> list[URLPattern]:
        def change(route: str, kind: type[KeyChange], name: str) -> URLPattern:
            view = guarded(self.admin_site, partial(self._change_view, kind))
            return path(route, view, name=url_name(self.opts, name))

        return [
            change("create/", Create, "create"),
            change("rotate/", Rotate, "rotate"),
            change("<path:object_id>/retire/", Retire, "retire"),
            change("<path:object_id>/compromised/", Compromise, "compromised"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: Mapping[str, Any] | None = None
    ) -> TemplateResponse:
        """The list, or why there is none."""
        self._require_superuser(request)
        using, keys, problem = write_alias(), [], ""
        try:
            keys = persistently(using, listed, using)
        except ImproperlyConfigured as error:
            problem = str(error)
        except Unavailable:
            tell_unavailable(request)
        context = {
            **(extra_context or {}),
            "title": capfirst(self.opts.verbose_name_plural),
            "rows": [self._row(key) for key in keys],
            "headings": self._headings(),
            "problem": problem,
            "is_stored": conf.KEY_STORE == STORE,
            "create_url": self._url("create"),
            "rotate_url": self._url("rotate"),
        }
        return self._page(request, "jwt_revoke/admin/keys.html", context)

    def _change_view(
        self, kind: type[KeyChange], request: HttpRequest, object_id: str = ""
    ) -> HttpResponse:
        """GET says what will follow; POST does it."""
        # Refused first: who may not do this is not told either which keys there are.
        self._require_superuser(request)
        try:
            if kind.of_store and conf.KEY_STORE != STORE:
                raise KeyRefused(gettext("Only keys that are kept in the database change here."))
            change = kind(write_alias(), unquote(object_id))
            # Any: a type stub has the admin's markup for forms of models alone.
            form: Any = change.form(request.POST if request.method == "POST" else None)
            if not form.is_valid():  # nor is one that has nothing to judge
                facts = persistently(change.using, change.facts)
                context = {
                    **facts,
                    "title": kind.title,
                    "list_url": self._url("changelist"),
                    "fieldset": Fieldset(form, fields=list(form.fields)),
                }
                return self._page(request, kind.template, context)
            done = change.do(request.user, form.cleaned_data)
            if done.row is not None:
                self.log_change(request, done.row, done.note)
            messages.add_message(request, done.level, done.text)
        except KeyRefused as refusal:
            messages.error(request, refusal.detail)
        except Unavailable:
            tell_unavailable(request)
        except ImproperlyConfigured:
            pass  # the list says why, as it cannot be shown either
        return HttpResponseRedirect(self._url("changelist"))

    def _headings(self) -> list[str]:
        key, algorithm, *terms = (
            str(label_for_field(name, SigningKey))
            for name in ("kid", "algorithm", "not_before", "signs_until", "verifies_until")
        )
        return [key, algorithm, gettext("kept in"), gettext("state"), *terms]

    def _row(self, key: ListedKey) -> Row:
        kid = quote(key.kid)
        has_row = key.origin in {STORE, ""}
        return Row(
            key=key,
            state=gettext(key.state),
            kept=str(KEPT[key.origin]),
            terms=(key.not_before, key.signs_until, key.verifies_until),
            page=self._url("change", kid) if has_row else "",
            retire=self._url("retire", kid) if Retire.is_for(key) else "",
            compromised=self._url("compromised", kid) if key.state != COMPROMISED else "",
        )

    def _require_superuser(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _url(self, name: str, *args: str) -> str:
        return page_url(self.admin_site, self.opts, name, *args)

    def _page(
        self, request: HttpRequest, template: str, context: dict[str, Any]
    ) -> TemplateResponse:
        context |= {"time_format": TIME}
        return page(self.admin_site, request, template, self.opts, context)
