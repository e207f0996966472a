"""What the log's readers exchange: an entry, and how far one has read."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One entry of the log as readers see it. ``expires``: whole seconds since 1970."""

    sequence: int | None
    uid: str
    batch: str | None
    scope: str
    subject: str
    effect: str
    version: int | None
    expires: int


class Cursor(NamedTuple):
    """The last entry read; ``(0, "")`` while the log holds no numbered one."""

    sequence: int
    uid: str
