"""The panel on a user's page: the sessions that live, and what was revoked of late."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from operator import attrgetter
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import Error
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..database import describe
from ..models import SCOPE_SESSION, SCOPE_USER, DeviceSession, Revocation, write_alias
from ..places import is_configured
from ..reasons import reason_text
from ..standing import live_sessions
from .accounts import key_of, names_of
from .end_session import END_SESSION, may_end
from .listed import listed
from .log_filters import EFFECTS
from .logout import may_log_out
from .pages import page_url
from .readonly import COUNTED, apart

logger: Final = logging.getLogger("jwt_revoke")

_SEE_SESSIONS: Final = "jwt_revoke.view_devicesession"
_SEE_LOG: Final = "jwt_revoke.view_revocation"
_REVOCATIONS: Final = 10
_ENDED: Final = 100
"""Sessions whose own entries are looked for: those that ended last."""


@dataclass(frozen=True, slots=True)
class PastRevocation:
    """One line of the log, in words."""

    time: datetime
    what: str
    effect: str
    reason: str
    actor: str
    note: str


def panel(model_admin: admin.ModelAdmin[Any], request: HttpRequest, user: Any) -> dict[str, Any]:
    """What ``user_panel.html`` is given; ``{}`` where the viewer may see nothing of it."""
    # Who may end them is shown them by the pages that ask, too.
    may_ask = may_end(model_admin, request, user) or may_log_out(model_admin, request, user)
    sees_sessions = may_ask or request.user.has_perm(_SEE_SESSIONS)
    sees_log = request.user.has_perm(_SEE_LOG)
    try:
        with apart(write_alias()):
            sessions = _sessions(model_admin, request, user) if sees_sessions else {}
            return sessions | (_revocations(model_admin, request, user) if sees_log else {})
    except Error as error:
        # The page is the site's, and worth more than what we add to it.
        logger.warning("The panel on a user's page is left empty: %s", describe(error))
        return {"is_unread": True}


def _sessions(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, user: Any
) -> dict[str, Any]:
    live = live_sessions(write_alias()).filter(user_id=key_of(user))
    has_end = may_end(model_admin, request, user)

    def end_url(session: DeviceSession) -> str:
        keys = (quote(user.pk), str(session.pk))
        return page_url(model_admin.admin_site, model_admin.opts, END_SESSION, *keys)

    lines = listed(live, end_url) if has_end else listed(live)
    return {
        "sessions": lines,
        "more": _more(live.order_by()[:COUNTED].count(), len(lines)),
        "has_places": is_configured(),
        "has_end": has_end,
        "sessions_url": _searched(model_admin, request, DeviceSession, user),
    }


def _more(count: int, shown: int) -> str:
    if count == COUNTED:
        return _("and more than %(count)d more") % {"count": count - shown - 1}
    text = ngettext("and %(count)d more", "and %(count)d more", count - shown)
    return text % {"count": count - shown} if count > shown else ""


def _revocations(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, user: Any
) -> dict[str, Any]:
    using, key = write_alias(), key_of(user)
    # By the index on user and end: a user of many years has any number of sessions.
    ended = DeviceSession.objects.using(using).filter(user_id=key, ended_at__isnull=False)
    devices = {str(session.pk): str(session) for session in ended.order_by("-ended_at")[:_ENDED]}
    log = Revocation.objects.using(using)
    # Not one "or", of which a database sorts all that it finds; and of the devices all, one each:
    # for the last ten PostgreSQL reads the log backwards until it has met them.
    of_user = log.filter(scope=SCOPE_USER, subject=str(key)).order_by("-pk")[:_REVOCATIONS]
    of_devices = log.filter(scope=SCOPE_SESSION, subject__in=list(devices))
    entries = nlargest(_REVOCATIONS, [*of_user, *of_devices], key=attrgetter("pk"))
    names = names_of({entry.actor for entry in entries})

    def line(entry: Revocation) -> PastRevocation:
        return PastRevocation(
            time=entry.created_at,
            what=_("All sessions") if entry.scope == SCOPE_USER else devices[entry.subject],
            effect=str(EFFECTS.get(entry.effect, entry.effect)),
            reason=reason_text(entry.reason),
            actor=names.get(entry.actor, entry.actor),
            note=entry.note,
        )

    return {
        "revocations": [line(entry) for entry in entries],
        "log_url": _searched(model_admin, request, Revocation, user),
    }


def _searched(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, model: type[Model], user: Any
) -> str:
    """Where the whole list is, of that user alone; ``""`` where the viewer has no such page."""
    opts = model._meta
    url = page_url(model_admin.admin_site, opts, "changelist")
    may = request.user.has_perm(f"{opts.app_label}.view_{opts.model_name}")
    return f"{url}?{urlencode({'q': user.get_username()})}" if url and may else ""
