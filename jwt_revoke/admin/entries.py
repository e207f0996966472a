"""Pages of ours that are no model's: an admin's index lists them before our models.

By ``get_app_list``, which every theme asks: Django has no other place for them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ..models import DeviceSession
from .dashboard import dashboard_url
from .everyone import TITLE, everyone_url


@dataclass(frozen=True, slots=True)
class Entry:
    """``object_name``: what a theme's settings call it, ``jwt_revoke.dashboard`` say.

    ``url(site, request)``: where it leads, ``""`` for whoever may not go there.
    """

    object_name: str
    name: Promise
    url: Callable[[AdminSite, HttpRequest], str]


ENTRIES: Final = (
    Entry("Dashboard", _("Dashboard"), dashboard_url),
    Entry("Everyone", TITLE, everyone_url),
)


def with_entries(
    original: Any, site: AdminSite, request: HttpRequest, app_label: str | None = None
) -> list[Any]:
    """What ``AdminSite.get_app_list`` returned, with our pages that this person may see."""
    apps: list[Any] = original(site, request, app_label)
    for app in apps:
        if app["app_label"] == DeviceSession._meta.app_label:
            app["models"][:0] = _listed(site, request, app["models"], is_alone=bool(app_label))
    return apps


def _listed(
    site: AdminSite, request: HttpRequest, models: list[Any], *, is_alone: bool
) -> list[dict[str, Any]]:
    # The list of our app alone stands on the dashboard, which need not lead to itself.
    entries = ENTRIES[1:] if is_alone else ENTRIES
    found = [(entry, entry.url(site, request)) for entry in entries]
    return [
        {
            # Themes look up more than Django does, django-unfold's search the model.
            **models[-1],
            "name": entry.name,
            "object_name": entry.object_name,
            "perms": {"add": False, "change": False, "delete": False, "view": True},
            "admin_url": url,
            "add_url": None,
            "view_only": True,
        }
        for entry, url in found
        if url
    ]
