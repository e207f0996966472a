"""What a contender is: how the site is set up for it, and how its sign-ins are made and ended."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest
from django.utils.module_loading import import_string

from benchmarks.contenders.signing import private_key

Parts = frozenset[str]

CHECK, HTTP, WORKERS, WRITES = "check", "http", "http with two workers", "writes"
REFUSAL, MEMORY, RESTART, GROWTH = "refusal", "memory", "restart", "growth"
"""What a contender takes part in."""

MOST: Final = frozenset({CHECK, HTTP, WRITES})
EVERYWHERE: Final = MOST | {WORKERS}


class Unsupported(Exception):
    """It has no such thing, and nobody builds it in a line or two."""


@dataclass(frozen=True)
class Credential:
    """One sign-in: what a request brings, what it is ended by, and what gets it a successor.

    ``header``: the value of ``Authorization``, or a whole line of another header. Fit for JSON.
    """

    header: str
    key: str = field(default="", repr=False)
    refresh: str | None = field(default=None, repr=False)

    @property
    def token(self) -> str:
        """What comes after the scheme."""
        return self.header.split()[-1]


@dataclass(frozen=True)
class State:
    """How a contender stands in one process.

    ``fallbacks``: how often it was answered for by something slower or faster than itself, so that
    a measurement in which the number grew measured something else. ``entries``: revocations that
    the process remembers.
    """

    ready: bool = True
    fallbacks: int = 0
    entries: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Contender(ABC):
    """How the site is set up for it, and how its sign-ins are made, ended and checked.

    All but the data is called in a process of its own: one that was started with ``environment``,
    whose site has this contender's apps and nobody else's. Most rivals copy their settings when
    they are imported, and whoever is installed may listen to what happens to users. The main
    process is our example project: there, too, but only ours can be ``installed``.
    """

    name: str
    parts: Parts
    authentication_class: str
    bound: float | None = None
    """Seconds after which what was ended is refused; ``None`` = when the token expires."""
    apps: tuple[str, ...] = ()
    """What it adds to ``INSTALLED_APPS``."""
    middleware: tuple[str, ...] = ()
    """What it adds to ``MIDDLEWARE``."""
    tables: tuple[str, ...] = ()
    """Where its rows pile up."""
    most_sessions: int = 1000
    """That one user is given, to be logged out of all of them."""
    has_row: bool = True
    """Whether the user of a request has a row to be read."""
    algorithm: str = "HS256"
    """Of its JWTs."""
    here: bool = False
    """Whether the main process can be its site, too."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """What it changes in the site's settings, key by key within a dict."""
        return {}

    @property
    def environment(self) -> dict[str, str]:
        """What makes a process to be started its own, on top of this one's."""
        if self.algorithm != "HS256":  # whose key is SECRET_KEY, or derived from it
            private_key(self.algorithm)  # made here, and inherited by all of them
        return {"BENCH_CONTENDER": self.name}

    def authentication(self) -> Any:
        """Its authentication class, made."""
        return import_string(self.authentication_class)()

    def prepare(self, request: HttpRequest) -> None:  # noqa: B027  (most have nothing to prepare)
        """What its middleware does to a request, short of what waits until it is asked."""

    @abstractmethod
    def sign_in(self, user: Any) -> Credential:
        """Sign a user in whose password has been verified."""

    def again(self, credential: Credential, count: int) -> list[str]:
        """Headers with other tokens of the same sign-in, none seen before; none for who has one."""
        return []

    def refresh(self, credential: Credential) -> Credential | None:
        """The successor; ``None`` where nothing is refreshed."""
        return None

    @abstractmethod
    def end(self, credential: Credential) -> None:
        """Log that one out, and return when it is done. May raise ``Unsupported``."""

    @abstractmethod
    def end_all(self, user: Any) -> None:
        """Log the user out everywhere, as its users do it. May raise ``Unsupported``."""

    def change_role(self, users: Any) -> None:
        """After an update of that queryset: what their tokens claim is out of date."""
        raise Unsupported

    def state(self) -> State:
        """How it stands in this process."""
        return State()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """This process is the site as set up for it, while the block lasts."""
        if os.environ.get("BENCH_CONTENDER") != self.name:
            raise RuntimeError(f"{self.name} is measured in a process of its own alone")
        yield


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that ``changes`` names; of a dict, the keys that it does not name stay."""
    return {
        name: {**base.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in changes.items()
    }


def current(names: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings as they are."""
    return {name: getattr(settings, name, {}) for name in names}
