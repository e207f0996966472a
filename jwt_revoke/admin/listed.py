"""Live sessions as our pages list them (``sessions_table.html``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db.models import QuerySet

from ..ages import ago
from ..models import DeviceSession
from ..places import place_of

SHOWN: Final = 20
"""Sessions listed one by one, those used last; of more only the number is told."""


@dataclass(frozen=True, slots=True)
class ListedSession:
    """One line: the session, and what is said of it. ``end_url``: ``""`` for who may not."""

    session: DeviceSession
    place: str
    signed_in: str
    last_used: str
    end_url: str


def listed(
    sessions: QuerySet[DeviceSession], end_url: Callable[[DeviceSession], str] = lambda _: ""
) -> list[ListedSession]:
    """The sessions used last, in one statement."""
    return [
        ListedSession(
            session=session,
            place=place_of(session.ip_address),
            signed_in=ago(session.created_at),
            last_used=ago(session.last_used_at),
            end_url=end_url(session),
        )
        for session in sessions.order_by("-last_used_at")[:SHOWN]
    ]
