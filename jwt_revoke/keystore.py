"""The keys as they stand: from the settings, from files, or from the database.

Each process has a copy. It is read again every ``KEY_REFRESH_INTERVAL``; and at once when a token
or an account shows a generation that is newer than the copy. That is how a compromise is heard of
everywhere: it raises the generation in its own transaction, the backend lets no token of an older
one pass within its bound, and a newer one is looked at with the keys of that generation. So no
request asks for keys, and none is let in by a key that its backend knows to be dead.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.db import Error

from .clock import clock
from .conf import conf
from .database import describe
from .exceptions import Unavailable
from .key_sources import configured_keys, configured_refresh_keys, succeeded, usable
from .keys import KeyRing, RefreshKeyRing, TimedKey, ring_at
from .models import ONLY_ROW, Generation, SigningKey, write_alias
from .secrecy import secret_locals
from .verifier import Verified, verifier

logger: Final = logging.getLogger("jwt_revoke")

_LOOK_UP_PAUSE: Final = 1.0
"""Seconds between two reads for an unknown ``kid``."""
_RETRY: Final = 5.0
"""Seconds after a read that failed before the next one."""
_NEVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Keys:
    """What a process knows of the keys. Its times are ``clock``'s."""

    access: KeyRing
    verified: Callable[[str], Verified]
    """Of a header what its token says, by ``access``; it remembers."""
    refresh: RefreshKeyRing
    timed: tuple[TimedKey, ...]
    marked: frozenset[str]
    """Ids of those that are compromised."""
    generation: int
    """As it stood when the keys were read, or before."""
    read_at: float
    read_again: float
    arrange_again: float


_keys: Keys | None = None
_looked_up = float("-inf")


def current_keys(generation: int = 0) -> Keys:
    """The keys as of that generation or later.

    Raises ``ImproperlyConfigured`` when one is unusable, and ``Unavailable`` when the database
    that has to be asked does not answer.
    """
    keys = _keys
    if keys is None:
        keys = _take(_read(None))
    elif keys.arrange_again < _NEVER and clock() >= keys.arrange_again:
        keys = _take(_renewed(keys))
    if generation > keys.generation:
        keys = _take(_read(keys))
    return keys


def key_ring(generation: int = 0) -> KeyRing:
    """The keys of access tokens, as of that generation or later. Raises as ``current_keys``."""
    return current_keys(generation).access


def refresh_key_ring(generation: int = 0) -> RefreshKeyRing:
    """The keys of refresh tokens, as of that generation or later. Raises as ``key_ring`` does."""
    return current_keys(generation).refresh


def signing_key_ring(generation: int = 0) -> KeyRing:
    """``key_ring`` to sign with: never by a copy that was not renewed in time.

    As that of a process that nobody asked for hours, and whose first read fails, or is under way:
    what it knows to sign may have retired since. Raises as ``key_ring`` does.
    """
    copy = current_keys(generation)
    if copy.read_again < _NEVER and clock() > copy.read_at + 2 * _interval():
        copy = _take(_read(copy))
    return copy.access


def keys_for_unknown_kid() -> Keys | None:
    """The keys read again, for a token whose ``kid`` is not in them; ``None`` = not now.

    At most once a second, whatever is sent and whatever comes of it: ten thousand unknown ids cost
    no more than one.
    """
    global _looked_up  # noqa: PLW0603  (of the process, as the copy is)
    copy, now = current_keys(), clock()
    if conf.KEY_STORE == "settings":
        return copy  # they do not change under a running process
    if now < _looked_up + _LOOK_UP_PAUSE:
        return None
    _looked_up = now
    return _take(_read(copy))


def is_former(kid: str) -> bool:
    """Whether a key of ours had that id, and verifies no more: compromised, or retired."""
    copy = current_keys()
    known = kid in copy.marked or any(timed.key.kid == kid for timed in copy.timed)
    return known and copy.access.find(kid) is None


def forget_keys() -> None:
    """Read the keys again before they are used: they were changed here."""
    global _keys, _looked_up
    _keys, _looked_up = None, float("-inf")


def _take(copy: Keys) -> Keys:
    # No lock, which a fork could leave locked: of two that read at once the last one stays, and
    # the generation of whichever stays is of its own read.
    global _keys  # noqa: PLW0603  (the one copy of the process)
    _keys = copy
    return copy


def _renewed(copy: Keys) -> Keys:
    """The copy after its time. While one thread reads, the others go on with the old one."""
    now = clock()
    if now < copy.read_again:
        return _arranged(copy)
    later = _take(_arranged(replace(copy, read_again=now + min(_RETRY, _interval()))))
    try:
        return _read(copy)
    except (Unavailable, ImproperlyConfigured) as error:
        # A key that was compromised meanwhile is found all the same: by the generation.
        logger.error("Keys not read again: %s", error)  # noqa: TRY400  (says all there is)
        return later


@secret_locals
def _read(known: Keys | None) -> Keys:
    """A new copy: what is configured and what is stored, but for what is marked.

    Marks are for keys of every store, so the database is asked in any case: with keys in the
    settings once in a process, and where the generation is news.
    """
    now = clock()
    generation, rows = _rows()
    marked = frozenset(row.kid for row in rows if row.compromised_at is not None)
    timed: Iterable[TimedKey] = configured_keys()
    if conf.KEY_STORE == "database":
        timed = (*succeeded(timed, rows), *usable(rows, known.timed if known else ()))
    timed = tuple(one for one in timed if one.key.kid not in marked)
    access = known.access if known else KeyRing(())
    refresh = tuple(key for key in configured_refresh_keys() if key.key_id.hex() not in marked)
    return _arranged(
        Keys(
            access=access,
            verified=known.verified if known else verifier(access),
            refresh=RefreshKeyRing(refresh),
            timed=timed,
            marked=marked,
            generation=generation,
            read_at=now,
            read_again=_NEVER if conf.KEY_STORE == "settings" else now + _interval(),
            arrange_again=now,
        )
    )


def _rows() -> tuple[int, list[SigningKey]]:
    """The generation, and the stored keys and marks."""
    using = write_alias()
    rows = SigningKey.objects.using(using).order_by("created_at", "kid")
    try:
        # First the generation: the keys are as of it, or later.
        found = Generation.objects.using(using).filter(pk=ONLY_ROW).values_list("value", flat=True)
        return found.first() or 0, list(rows)
    except Error as error:
        raise Unavailable(describe(error)) from error


def _arranged(copy: Keys) -> Keys:
    """The copy with its ring as it stands now."""
    now = time.time()
    ring, changes_at = ring_at(copy.timed, now)
    # Equal keys in the same order are the same ring, by which verified tokens are kept.
    same = ring == copy.access
    # Not later than after an interval: the wall clock may be stepped meanwhile.
    wait = min(changes_at - now, _interval()) if changes_at < _NEVER else _NEVER
    return replace(
        copy,
        access=copy.access if same else ring,
        verified=copy.verified if same else verifier(ring),
        arrange_again=min(clock() + wait, copy.read_again),
    )


def _interval() -> float:
    return conf.KEY_REFRESH_INTERVAL.total_seconds()


def _forget(*, setting: str, **_kwargs: Any) -> None:
    if setting in {"JWT_REVOKE", "SECRET_KEY", "SECRET_KEY_FALLBACKS", "DATABASES"}:
        forget_keys()


setting_changed.connect(_forget)
