"""The dashboard: what the admin's page of our app shows above the list of our models.

It is handed to the template of that page, which is the site's or its theme's: no URL of ours is
needed, and who has a template of their own for it can include ours. What somebody may not see is
left out, and not asked for.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Final, NamedTuple

from django.contrib.admin import AdminSite
from django.db import Error
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import insights
from ..database import describe
from ..insights import REUSED, LiveSessions, Period, Revocations, SignIns
from ..models import DeviceSession, ReplicaProcess, Revocation, write_alias
from ..reasons import reason_text
from .chart_texts import of_revocations, of_sign_ins
from .health import rows_of
from .numbers import grouped
from .pages import page_url
from .readonly import apart

logger: Final = logging.getLogger("jwt_revoke")

PERIODS: Final = {
    "24h": (Period(24, by_hour=True), gettext_lazy("24 hours")),
    "7d": (Period(7), gettext_lazy("7 days")),
    "30d": (Period(30), gettext_lazy("30 days")),
}
DEFAULT: Final = "7d"
_MODELS: Final = (DeviceSession, Revocation, ReplicaProcess)
_APP: Final = DeviceSession._meta.app_label


class Figure(NamedTuple):
    """A number that matters, what is to be said of it, and where its rows are."""

    label: str
    value: str
    note: str
    url: str


def with_dashboard(
    original: Any, site: AdminSite, request: HttpRequest, app_label: str, *args: Any, **kwargs: Any
) -> Any:
    """What ``AdminSite.app_index`` returned; ours has the dashboard for its template to call."""
    response = original(site, request, app_label, *args, **kwargs)
    is_ours = app_label == _APP and isinstance(response, TemplateResponse)
    if is_ours and response.context_data is not None:
        response.context_data["jwt_revoke_dashboard"] = partial(dashboard, site, request)
    return response


def dashboard_url(site: AdminSite, request: HttpRequest) -> str:
    """Where it is, ``""`` for who sees nothing of it.

    With its query: the path alone is what the addresses of all our pages begin with, and a menu
    would mark it as the current one on each of them.
    """
    if not any(_may_view(site, request, model) for model in _MODELS):
        return ""
    path = reverse(f"{site.name}:app_list", args=[_APP], current_app=site.name)
    return f"{path}?period={DEFAULT}"


def dashboard(site: AdminSite, request: HttpRequest) -> dict[str, Any]:
    """All of it that this person may see; empty where that is nothing."""
    seen: set[type[Model]] = {model for model in _MODELS if _may_view(site, request, model)}
    if not seen:
        return {}
    try:
        with apart(write_alias()):
            return _read(site, request, seen)
    except Error as error:
        # The list of our models below it may be what is needed now.
        logger.warning("The dashboard is left empty: %s", describe(error))
        return {"is_unread": True}


def _read(site: AdminSite, request: HttpRequest, seen: set[type[Model]]) -> dict[str, Any]:
    using, chosen = write_alias(), request.GET.get("period")
    chosen = chosen if chosen in PERIODS else DEFAULT
    window = insights.window(PERIODS[chosen][0])
    figures, charts = [], []
    if DeviceSession in seen:
        opened = insights.sign_ins(using, window)
        url = page_url(site, DeviceSession._meta, "changelist")
        figures += _of_sessions(insights.live_session_count(using), opened, url)
        charts.append(of_sign_ins(opened, window))
    if Revocation in seen:
        log = insights.revocations(using, window)
        figures += _of_log(log, page_url(site, Revocation._meta, "changelist"), chosen)
        charts.append(of_revocations(log, window))
    health = []
    if ReplicaProcess in seen:
        url = page_url(site, ReplicaProcess._meta, "changelist")
        health = rows_of(insights.health(using), url)
    return {
        "periods": [(name, label, name == chosen) for name, (_p, label) in PERIODS.items()],
        "figures": figures,
        "charts": charts,
        "health": health,
    }


def _may_view(site: AdminSite, request: HttpRequest, model: type[Model]) -> bool:
    """As this site's own admin of the model has it, where it has one."""
    return site.is_registered(model) and site.get_model_admin(model).has_view_permission(request)


def _of_sessions(live: LiveSessions, opened: SignIns, url: str) -> list[Figure]:
    text, note = grouped(live.count), ""
    if not live.is_exact:
        text, note = _("about %(count)s") % {"count": text}, _("estimated from a sample")
    signed_in = sum(opened.counts)
    return [
        Figure(_("Live sessions"), text, note, url),
        Figure(_("Sign-ins"), grouped(signed_in), _change(signed_in, opened.before), url),
    ]


def _of_log(log: Revocations, url: str, period: str) -> list[Figure]:
    revoked, reused = sum(map(sum, log.counts)), sum(column[0] for column in log.counts)
    of_all = url and f"{url}?time={period}"
    of_reuse = url and f"{of_all}&reason={REUSED}"
    return [
        Figure(_("Revocations"), grouped(revoked), _change(revoked, log.before), of_all),
        Figure(reason_text(REUSED), grouped(reused), _change(reused, log.reused_before), of_reuse),
    ]


def _change(now: int, before: int) -> str:
    if not before:
        return _("none in the period before")
    percent = round(100 * (now - before) / before)
    sign = "+" if percent > 0 else "\N{MINUS SIGN}" if percent else ""
    return _("%(change)s %% on %(before)s in the period before") % {
        "change": sign + grouped(abs(percent)),
        "before": grouped(before),
    }
