"""Puts "Log out everywhere" and the panel on every admin of the user model, without subclassing.

An admin is equipped as it is registered, on whatever site; those registered before us are
equipped when we connect. Each *instance* is equipped, so that a site's own ``get_urls`` or
``render_change_form`` is called as it stands, whether it calls ``super()`` or not.
"""

from __future__ import annotations

from functools import partial, update_wrapper
from typing import Any, Final

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.sites import all_sites
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from ..actor import acting
from .bulk_logout import log_out_selected
from .dashboard import with_dashboard
from .end_session import END_SESSION, end_session_view
from .entries import with_entries
from .logout import FORM_ACTIONS, LOG_OUT, logout_view, may_log_out
from .pages import guarded, page_url, url_name
from .user_panel import panel

CHANGE_FORM: Final = "jwt_revoke/admin/user_change_form.html"
OBJECT_TOOL: Final = ("unfold/helpers/tab_action.html", "jwt_revoke/admin/object_tool.html")
"""The first that there is: django-unfold has a template for what others have a class for."""


def connect() -> None:
    """Equip what is registered and what will be; harmless when repeated."""
    if hasattr(AdminSite.register, "jwt_revoke_original"):
        return
    # Methods of Django's class are replaced; the type checker rightly asks whether that is meant.
    AdminSite.register = _wrapped(AdminSite.register, _register)  # type: ignore[method-assign]
    AdminSite.admin_view = _wrapped(AdminSite.admin_view, _admin_view)  # type: ignore[method-assign]
    AdminSite.get_app_list = _wrapped(AdminSite.get_app_list, with_entries)  # type: ignore[method-assign]
    AdminSite.app_index = _wrapped(AdminSite.app_index, with_dashboard)  # type: ignore[method-assign]
    for site in all_sites:
        _equip_site(site)


def _wrapped(original: Any, wrapper: Any) -> Any:
    def method(self: AdminSite, *args: Any, **kwargs: Any) -> Any:
        return wrapper(original, self, *args, **kwargs)

    # An attribute of ours on a function, unknown to its type: it tells that this was done.
    method.jwt_revoke_original = original  # type: ignore[attr-defined]
    return update_wrapper(method, original)


def _register(original: Any, site: AdminSite, *args: Any, **kwargs: Any) -> None:
    original(site, *args, **kwargs)
    _equip_site(site)


def _admin_view(original: Any, site: AdminSite, view: Any, *args: Any, **kwargs: Any) -> Any:
    """Whoever uses the admin is the actor of what its views revoke."""

    def named(request: HttpRequest, *view_args: Any, **view_kwargs: Any) -> Any:
        with acting(request):
            return view(request, *view_args, **view_kwargs)

    return original(site, update_wrapper(named, view), *args, **kwargs)


def _equip_site(site: AdminSite) -> None:
    for model, model_admin in site._registry.items():  # noqa: SLF001  (is_registered() can't list)
        if _is_user(model) and not hasattr(model_admin, "has_revoke_tokens_permission"):
            _equip(model_admin)


def _is_user(model: type[Model]) -> bool:
    user = get_user_model()._meta.concrete_model
    return user is not None and issubclass(model, user)


def _equip(model_admin: Any) -> None:
    model_admin.has_revoke_tokens_permission = partial(may_log_out, model_admin)
    model_admin.get_urls = partial(_get_urls, model_admin, model_admin.get_urls)
    model_admin.render_change_form = partial(
        _render_change_form, model_admin, model_admin.render_change_form
    )
    # None means that the site wants no actions at all.
    if model_admin.actions is not None:
        model_admin.actions = [*model_admin.actions, log_out_selected, *FORM_ACTIONS]


def _get_urls(model_admin: ModelAdmin[Any], original: Any) -> list[URLPattern]:
    def ours(route: str, view: Any, name: str) -> URLPattern:
        page = guarded(model_admin.admin_site, partial(view, model_admin))
        return path(f"<path:object_id>/{route}/", page, name=url_name(model_admin.opts, name))

    return [
        ours("log-out-everywhere", logout_view, LOG_OUT),
        ours("sessions/<uuid:session_id>/end", end_session_view, END_SESSION),
        *original(),
    ]


def _render_change_form(
    model_admin: ModelAdmin[Any],
    original: Any,
    request: HttpRequest,
    context: dict[str, Any],
    *args: Any,
    **kwargs: Any,
) -> HttpResponseBase:
    # Looked up before the site's own method runs: what that renders need not hold it.
    user, is_popup = context.get("original"), context.get("is_popup")
    response: HttpResponseBase = original(request, context, *args, **kwargs)
    if not isinstance(response, TemplateResponse) or response.context_data is None:
        return response
    if user is None or is_popup:
        return response
    url = _log_out_url(model_admin, request, user)
    shown = panel(model_admin, request, user)
    if not (url or shown):
        return response
    response.context_data.update(
        jwt_revoke_parent=response.resolve_template(response.template_name),
        jwt_revoke_log_out_url=url,
        jwt_revoke_tool=OBJECT_TOOL,
        jwt_revoke_panel=shown,
    )
    response.template_name = CHANGE_FORM
    return response


def _log_out_url(model_admin: ModelAdmin[Any], request: HttpRequest, user: Any) -> str:
    """``""`` for whoever may not, and where the site builds its URLs without asking this admin."""
    if not may_log_out(model_admin, request, user):
        return ""
    return page_url(model_admin.admin_site, model_admin.opts, LOG_OUT, quote(user.pk))
