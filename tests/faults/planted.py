"""Refreshes that are wrong on purpose, as peers' have been: the judge has to convict each.

Called once by a nursery, before it forks (FAULTS_PLANTED).
"""

from __future__ import annotations

from typing import Any

from django.db.models import F

from jwt_revoke import rotation
from jwt_revoke.models import DeviceSession


def every_use_rotates() -> None:
    """Within the grace a used token is answered with a successor of its own (as where a new token
    is stored for each answer)."""
    real = rotation._in_grace

    def in_grace(token: Any, session: Any, now: Any, request: Any) -> bool:
        if not real(token, session, now, request):
            return False
        rows = DeviceSession.objects.filter(pk=token.session_id)
        session.refresh_counter += rows.update(refresh_counter=F("refresh_counter") + 1)
        return True

    rotation._in_grace = in_grace


def the_end_is_not_asked() -> None:
    """A session that has ended goes on (as where a log-out denies its access tokens alone)."""

    def rotate(using: str, token: Any, _now: Any, _request: Any) -> bool:
        rows = DeviceSession.objects.filter(pk=token.session_id, refresh_counter=token.counter)
        return bool(rows.update(refresh_counter=F("refresh_counter") + 1))

    rotation.require_live = lambda _facts, _now: None
    rotation._rotate = rotate


def a_replay_ends_nothing() -> None:
    """It is refused, and whoever has the successor goes on."""
    rotation._end_reused = lambda _using, _session_id, _facts: None
