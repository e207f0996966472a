"""Pages of our own in an admin: where they are, and what all of them are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin import AdminSite
from django.db import connections, transaction
from django.db.models.options import Options
from django.http import HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse


def guarded(site: AdminSite, view: Any) -> Callable[..., HttpResponseBase]:
    """``view`` behind the admin's log-in, and never inside ``ATOMIC_REQUESTS``: what it revokes is
    committed before it says so, and a database that does not answer is said, not raised."""
    guarded: Callable[..., HttpResponseBase] = site.admin_view(view)
    for alias in connections:
        guarded = transaction.non_atomic_requests(using=alias)(guarded)
    return guarded


def url_name(opts: Options[Any], name: str) -> str:
    """The name of a model's page in the admin, without the site's namespace."""
    return f"{opts.app_label}_{opts.model_name}_{name}"


def page_url(site: AdminSite, opts: Options[Any], name: str, *args: str) -> str:
    """Where a model's page is; ``""`` where the site has left that page out."""
    try:
        return reverse(f"{site.name}:{url_name(opts, name)}", args=args, current_app=site.name)
    except NoReverseMatch:
        return ""


def index_url(site: AdminSite) -> str:
    """Where the admin begins."""
    return reverse(f"{site.name}:index", current_app=site.name)


def page(
    site: AdminSite,
    request: HttpRequest,
    template: str,
    opts: Options[Any],
    context: dict[str, Any],
) -> TemplateResponse:
    """A page in the site's own frame; ``context`` has a ``title`` at least.

    Breadcrumbs (``page.html``): ``list_url`` where there is a list, ``crumb`` and ``crumb_url``.
    """
    request.current_app = site.name
    return TemplateResponse(
        request, template, {**site.each_context(request), **context, "opts": opts}
    )
