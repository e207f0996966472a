"""Who is measured. Another system is another subclass of ``Contender`` and a line at the end."""

from __future__ import annotations

import contextlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from django.test import override_settings
from rest_framework.authentication import BaseAuthentication

from benchmarks.settings import merged
from jwt_revoke import api
from jwt_revoke.authentication import JWTAuthentication
from jwt_revoke.backends.base import get_backend
from jwt_revoke.codec import decode_access, encode_access
from jwt_revoke.keystore import key_ring

Parts = frozenset[str]

CHECK, HTTP, REFUSAL, MEMORY, RESTART = "check", "http", "refusal", "memory", "restart"
"""What a contender takes part in."""


@dataclass(frozen=True)
class Credential:
    """One sign-in: what a request brings, and what it is ended by."""

    header: str
    key: Any = field(repr=False)


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


class Contender(ABC):
    """How the site is set up for it, and how its sign-ins are made, ended and checked."""

    name: str
    parts: Parts
    bound: float | None
    """Seconds after which what was revoked is refused; ``None`` = when the token expires."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """What it changes in the site's settings, key by key within a dict; fit for JSON."""

    @abstractmethod
    def authentication(self) -> BaseAuthentication:
        """Its authentication class, made."""

    @abstractmethod
    def sign_in(self, user: Any) -> Credential:
        """Sign a user in."""

    @abstractmethod
    def again(self, credential: Credential, count: int) -> list[str]:
        """Headers with other tokens of the same sign-in, none of them seen before."""

    @abstractmethod
    def revoke(self, credential: Credential) -> None:
        """End that sign-in, and return when it is ended."""

    def state(self) -> State:
        """How it stands in this process."""
        return State()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """This process is the site as set up for it, while the block lasts."""
        base = {name: getattr(settings, name, {}) for name in self.settings}
        with override_settings(**merged(base, self.settings)):
            yield

    @property
    def environment(self) -> dict[str, str]:
        """The same for a process to be started."""
        return {"BENCH_CONTENDER": self.name, "BENCH_SETTINGS": json.dumps(self.settings)}


@dataclass(frozen=True, eq=False)
class JWTRevoke(Contender):
    """Ours, by one of its backends."""

    name: str
    backend: str
    parts: Parts
    bound: float | None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Mapping[str, Any]:
        path = f"jwt_revoke.backends.{self.backend}"
        return {"JWT_REVOKE": {"BACKEND": path, "OPTIONS": dict(self.options)}}

    def authentication(self) -> BaseAuthentication:
        return JWTAuthentication()

    def sign_in(self, user: Any) -> Credential:
        tokens = api.sign_in(user, device="benchmark")
        return Credential(f"Bearer {tokens.access}", tokens.session)

    def again(self, credential: Credential, count: int) -> list[str]:
        ring = key_ring()
        payload = decode_access(credential.header.split()[1], ring).payload
        tokens = (encode_access({**payload, "jti": str(uuid4())}, ring) for _ in range(count))
        return [f"Bearer {token}" for token in tokens]

    def revoke(self, credential: Credential) -> None:
        api.end_session(credential.key)


class Replica(JWTRevoke):
    """Ours, by a copy in each process, which has to be loaded first."""

    def state(self) -> State:
        backend: Any = get_backend()
        status = backend.status()
        return State(backend.ready, status["fallbacks"], status["entries"])


def _replica(title: str, log: str, staleness: float, *parts: str, **options: Any) -> Replica:
    return Replica(
        f"replica, {title}",
        "replica.ReplicaBackend",
        frozenset(parts),
        staleness,
        {"log": log, "max_staleness": staleness, **options},
    )


CONTENDERS: Final[Mapping[str, Contender]] = {
    contender.name: contender
    for contender in [
        JWTRevoke(
            "database", "database.DatabaseBackend", frozenset({CHECK, HTTP, REFUSAL, RESTART}), 0.0
        ),
        _replica("database log, 0 ms", "database", 0, CHECK, HTTP, REFUSAL, MEMORY, RESTART),
        _replica("database log, 250 ms", "database", 0.25, CHECK, HTTP, REFUSAL),
        _replica("Redis, 0 ms", "redis", 0, CHECK, HTTP, REFUSAL),
        _replica("Redis, 250 ms", "redis", 0.25, CHECK, HTTP, REFUSAL),
        _replica("database log, 30 s + listen", "database", 30, REFUSAL, listen=True),
        JWTRevoke("stateless", "stateless.StatelessBackend", frozenset({CHECK, HTTP}), None),
    ]
}
