"""The keys there are, and how each stands: for the command and the admin."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext_noop as _

from .clock import moment
from .conf import conf
from .key_compromise import REFRESH
from .key_sources import configured_keys, configured_refresh_keys, succeeded
from .keystore import forget_keys, key_ring, refresh_key_ring
from .models import SigningKey

SIGNS: Final = _("signs")
TO_SIGN: Final = _("to sign")
WAITS: Final = _("waits")
VERIFIES: Final = _("verifies")
RETIRED: Final = _("retired")
COMPROMISED: Final = _("compromised")
NOT_IN_USE: Final = _("not in use")


@dataclass(frozen=True, slots=True)
class ListedKey:
    """One key: what it is for, where it is kept, how it stands, and its terms."""

    kid: str
    algorithm: str
    origin: str
    """``"settings"``, ``"files"`` or ``"database"``; ``""`` where only its mark is kept."""
    state: str
    not_before: datetime | None = None
    signs_until: datetime | None = None
    verifies_until: datetime | None = None


def listed(using: str) -> list[ListedKey]:
    """All of them, the signing one first. Raises as ``key_ring`` does, and Django's own errors."""
    forget_keys()
    signers = {key.kid for key in key_ring().keys[:1]}
    signers |= {key.key_id.hex() for key in refresh_key_ring().keys[:1]}
    rows = {row.kid: row for row in SigningKey.objects.using(using).order_by("created_at", "kid")}
    in_database = conf.KEY_STORE == "database"
    found = [
        ListedKey(
            *(row.kid, row.algorithm, "database" if row.not_before or row.private else ""),
            state_of(row, signers),
            *(row.not_before, row.signs_until, row.verifies_until),
        )
        for row in rows.values()
    ]
    origin = "files" if conf.KEY_STORE == "files" else "settings"
    for timed in succeeded(configured_keys(), rows.values() if in_database else ()):
        kid, until, now = timed.key.kid, timed.verifies_until, time.time()
        state = SIGNS if kid in signers else VERIFIES if timed.verifies(now) else RETIRED
        if kid not in rows:
            ends = None if until is None else moment(until)
            found.append(ListedKey(kid, timed.key.algorithm, origin, state, verifies_until=ends))
    for key in configured_refresh_keys():
        kid = key.key_id.hex()
        if kid not in rows:
            state = SIGNS if kid in signers else VERIFIES
            found.append(ListedKey(kid, REFRESH, "settings", state))
    return sorted(found, key=lambda key: (key.algorithm == REFRESH, key.state != SIGNS))


def state_of(row: SigningKey, signers: set[str]) -> str:
    """How a row stands, where those of ``signers`` sign."""
    now = timezone.now()
    if row.compromised_at is not None:
        return COMPROMISED
    if row.verifies_until is not None and row.verifies_until <= now:
        return RETIRED
    if conf.KEY_STORE != "database":
        return NOT_IN_USE
    if row.kid in signers:
        return SIGNS
    if row.not_before is None:
        return WAITS
    return TO_SIGN if row.not_before > now else VERIFIES
