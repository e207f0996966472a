"""What must be accepted: rules, and no rows of ours.

A token is accepted while it has its life, its sitting lives, nothing has made it stale, and its
account is there, active, and has the password that was last looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

TOKEN_LIFE = timedelta(minutes=5)
IDLE, SITTING_LIFE = timedelta(days=14), timedelta(days=90)


def as_stored(password: int) -> str:
    """A hash as an account's row holds it; nobody ever verifies it."""
    return f"stored${password}" * 3


@dataclass(frozen=True)
class Row:
    """What is compared of an account."""

    password: str = as_stored(0)
    active: bool = True
    staff: bool = False


UNKNOWN = Row(password="")
"""Recorded of an account that was revoked before its first sign-in: nothing to compare with."""


@dataclass
class Account:
    """A primary key, and whoever has it. ``seen``: the row as it was last looked at."""

    key: Any
    row: Row | None = Row()
    seen: Row | None = None


@dataclass
class Token:
    """An access token; ``fresh`` until something makes it stale."""

    text: str = field(repr=False)
    ends: datetime
    kid: str
    fresh: bool = True


@dataclass
class Sitting:
    """A session. ``agent`` and ``rotated``: who refreshed last, and when.

    ``on_record``: a row of it is left, ended or not.
    """

    account: Account
    key: Any
    agent: str
    began: datetime
    ends: datetime
    idle_ends: datetime
    refreshes: list[str] = field(repr=False)
    tokens: list[Token]
    rotated: datetime | None = None
    alive: bool = True
    on_record: bool = True

    def is_over(self, now: datetime) -> bool:
        return not self.alive or now >= self.ends or now >= self.idle_ends


class Model:
    """All accounts and sittings there are, and what becomes of them."""

    def __init__(self) -> None:
        self.accounts: list[Account] = []
        self.sittings: list[Sitting] = []
        self.dead_keys: set[str] = set()

    def accepts(self, sitting: Sitting, token: Token, now: datetime, *, by_rows: bool) -> bool:
        """``by_rows``: the account's row is looked at, and not the log alone."""
        if now >= token.ends or token.kid in self.dead_keys:
            return False
        if sitting.is_over(now) or not token.fresh:
            return False
        row, seen = sitting.account.row, sitting.account.seen
        if not by_rows:
            return True
        return row is not None and row.active and seen is not None and row.password == seen.password

    def of(self, account: Account) -> list[Sitting]:
        return [sitting for sitting in self.sittings if sitting.account is account]

    def end(self, sittings: list[Sitting]) -> None:
        for sitting in sittings:
            sitting.alive = False

    def make_stale(self, sittings: list[Sitting]) -> None:
        for sitting in sittings:
            for token in sitting.tokens:
                token.fresh = False

    def apply(self, effect: str, sittings: list[Sitting]) -> None:
        self.make_stale(sittings)
        if effect == "session":
            self.end(sittings)

    def revoke(self, account: Account, effect: str) -> None:
        if account.seen is None:
            account.seen = UNKNOWN
        self.apply(effect, self.of(account))

    def settle(self, account: Account, *, new: bool = False) -> None:
        """Somebody looks, and records what changed. ``new``: the row was just made."""
        row, seen = account.row, account.seen
        if row is None or seen is None:
            return
        known = seen is not UNKNOWN
        if new or (known and (seen.password != row.password or (seen.active and not row.active))):
            self.revoke(account, "session")
        if known and seen.staff != row.staff:
            self.revoke(account, "access")
        account.seen = row

    def begin_record(self, account: Account) -> None:
        if account.seen is None:
            account.seen = account.row

    def forget(self, account: Account) -> None:
        """It is gone, and its sittings with it."""
        for sitting in self.of(account):
            sitting.alive = sitting.on_record = False
        account.seen = None

    def change(self, account: Account, **fields: Any) -> None:
        assert account.row is not None
        account.row = replace(account.row, **fields)
