"""What the templates are given of somebody's sessions: one statement, however many they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from ..ages import ago
from ..conf import conf
from ..models import DeviceSession, write_alias
from ..places import place_of
from ..rest.account_views import MAX_LISTED
from ..standing import live_sessions
from ..user_agents import device_kind


@dataclass(frozen=True, slots=True)
class Device:
    """One session, and what is said of it."""

    session: DeviceSession
    name: str
    agent: str
    """The browser and its system, where the name says something else; or ``""``."""
    kind: str
    place: str
    signed_in: str
    last_used: str
    is_current: bool


def listing(user: Any, base: str, current: UUID | None = None, back: str = "") -> dict[str, Any]:
    """What ``list.html`` needs.

    ``base`` is the address of the page, ``current`` the session that asks, and ``back`` another
    page that its forms come back to.
    """
    live = live_sessions(write_alias()).filter(user_id=user.pk)
    sessions = list(live.order_by("-last_used_at")[: MAX_LISTED + 1])
    devices = [_device(session, current) for session in sessions[:MAX_LISTED]]
    devices.sort(key=lambda device: not device.is_current)
    return {
        "devices": devices,
        "has_more": len(sessions) > MAX_LISTED,
        "has_current": current is not None,
        "base": base,
        "back": back,
    }


def name_of(session: DeviceSession) -> str:
    """What the session is called, which may be nothing yet."""
    return session.name or _("Unnamed device")


def _device(session: DeviceSession, current: UUID | None) -> Device:
    agent = conf.DEVICE_NAMER(session.user_agent)
    return Device(
        session=session,
        name=name_of(session),
        agent="" if agent == session.name else agent,
        kind=device_kind(session.user_agent),
        place=place_of(session.ip_address),
        signed_in=ago(session.created_at),
        last_used=ago(session.last_used_at),
        is_current=session.pk == current,
    )
