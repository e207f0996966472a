"""Admin sites with user admins of every kind that a site may have written."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest
from django.http.response import HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from tests.accounts.models import ProxyMember

User = get_user_model()


class OwnTemplate(UserAdmin):
    change_form_template = "own_change_form.html"


class OwnUrls(admin.ModelAdmin):
    """Does not ask super(), and has no list."""

    change_form_template = "own_page.html"

    def get_urls(self) -> list[URLPattern]:
        return [path("<path:object_id>/edit/", self.admin_site.admin_view(self.change_view))]


class Unreachable(OwnUrls):
    """Hands URLs to its site without asking itself for them."""

    @property
    def urls(self) -> list[URLPattern]:
        return OwnUrls.get_urls(self)


class OwnRendering(admin.ModelAdmin):
    """Does not ask super(), and does not pass the context on."""

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> TemplateResponse:
        return TemplateResponse(request, "own_page.html", self.admin_site.each_context(request))


class PlainResponse(admin.ModelAdmin):
    def render_change_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponse("nothing to add a link to")


class NoActions(UserAdmin):
    actions = None


class OwnActions(UserAdmin):
    actions = ["greet"]

    @admin.action(description="Greet")
    def greet(self, request: HttpRequest, queryset: Any) -> None:
        """Does nothing."""


class GuardsSuperusers(UserAdmin):
    """Only a superuser changes a superuser."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        guarded = obj is not None and obj.is_superuser and not request.user.is_superuser
        return super().has_change_permission(request, obj) and not guarded


def _site(name: str, **admins: type[admin.ModelAdmin]) -> admin.AdminSite:
    site = admin.AdminSite(name)
    site.register(User, admins["user"])
    return site


KINDS: dict[str, type[admin.ModelAdmin]] = {
    "second": UserAdmin,
    "own-template": OwnTemplate,
    "own-urls": OwnUrls,
    "unreachable": Unreachable,
    "own-rendering": OwnRendering,
    "plain-response": PlainResponse,
    "no-actions": NoActions,
    "own-actions": OwnActions,
    "guards-superusers": GuardsSuperusers,
}
SITES = {name: _site(name, user=kind) for name, kind in KINDS.items()}

SITES["again"] = _site("again", user=UserAdmin)
SITES["again"].unregister(User)
SITES["again"].register(User, UserAdmin)

SITES["proxy"] = admin.AdminSite("proxy")
SITES["proxy"].register(ProxyMember, UserAdmin)
