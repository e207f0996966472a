"""Ours, by each of its backends. The only one that the main process can be, too."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from benchmarks.contenders.base import (
    CHECK,
    EVERYWHERE,
    GROWTH,
    MEMORY,
    MOST,
    REFUSAL,
    RESTART,
    Contender,
    Credential,
    State,
    current,
    merged,
)
from benchmarks.contenders.signing import private_key

_TABLES: Final = (
    "jwt_revoke_device_session",
    "jwt_revoke_revocation",
    "jwt_revoke_user_token_state",
)


@dataclass(frozen=True, eq=False, kw_only=True)
class JWTRevoke(Contender):
    """Ours, by one of its backends."""

    backend: str
    options: Mapping[str, Any] = field(default_factory=dict)
    authentication_class: str = "jwt_revoke.authentication.JWTAuthentication"
    apps: tuple[str, ...] = ("jwt_revoke",)
    tables: tuple[str, ...] = _TABLES
    here: bool = True

    @property
    def settings(self) -> Mapping[str, Any]:
        path = f"jwt_revoke.backends.{self.backend}"
        ours = {"BACKEND": path, "OPTIONS": dict(self.options), "ALGORITHM": self.algorithm}
        if self.algorithm != "HS256":
            ours["SIGNING_KEYS"] = [private_key(self.algorithm)]
        return {"JWT_REVOKE": ours}

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        if os.environ.get("BENCH_CONTENDER") == self.name:
            yield
            return
        from django.test import override_settings

        with override_settings(**merged(current(self.settings), self.settings)):
            yield

    def sign_in(self, user: Any) -> Credential:
        from jwt_revoke import api

        tokens = api.sign_in(user, device="benchmark")
        return Credential(f"Bearer {tokens.access}", str(tokens.session), tokens.refresh)

    def again(self, credential: Credential, count: int) -> list[str]:
        from jwt_revoke.codec import decode_access, encode_access
        from jwt_revoke.keystore import key_ring

        ring = key_ring()
        payload = decode_access(credential.token, ring).payload
        tokens = (encode_access({**payload, "jti": str(uuid4())}, ring) for _ in range(count))
        return [f"Bearer {token}" for token in tokens]

    def refresh(self, credential: Credential) -> Credential:
        from jwt_revoke import api

        assert credential.refresh is not None
        tokens = api.refresh(credential.refresh)
        return Credential(f"Bearer {tokens.access}", str(tokens.session), tokens.refresh)

    def end(self, credential: Credential) -> None:
        from jwt_revoke import api

        api.end_session(credential.key)

    def end_all(self, user: Any) -> None:
        from jwt_revoke import api

        api.revoke_user(user, reason="logout_all")

    def change_role(self, users: Any) -> None:
        from jwt_revoke import api

        api.revoke_users(users, effect="access", reason="role_changed")


class Replica(JWTRevoke):
    """Ours, by a copy in each process, which has to be loaded first."""

    def state(self) -> State:
        from jwt_revoke.backends.base import get_backend

        backend: Any = get_backend()
        status = backend.status()
        return State(backend.ready, status["fallbacks"], status["entries"])


def _replica(title: str, log: str, staleness: float, parts: frozenset[str], **more: Any) -> Replica:
    algorithm = more.pop("algorithm", "HS256")
    return Replica(
        name=f"replica, {title}",
        backend="replica.ReplicaBackend",
        parts=parts,
        bound=staleness,
        options={"log": log, "max_staleness": staleness, **more},
        algorithm=algorithm,
    )


CONTENDERS: Final[list[Contender]] = [
    JWTRevoke(
        name="database",
        backend="database.DatabaseBackend",
        parts=EVERYWHERE | {REFUSAL, RESTART, GROWTH},
        bound=0.0,
    ),
    _replica("database log, 0 ms", "database", 0, MOST | {REFUSAL, MEMORY, RESTART}),
    _replica("database log, 250 ms", "database", 0.25, EVERYWHERE | {REFUSAL}),
    _replica("Redis, 0 ms", "redis", 0, MOST | {REFUSAL}),
    _replica("Redis, 250 ms", "redis", 0.25, MOST | {REFUSAL}),
    _replica("database log, 30 s + listen", "database", 30, frozenset({REFUSAL}), listen=True),
    _replica("RS256, 250 ms", "database", 0.25, frozenset({CHECK}), algorithm="RS256"),
    _replica("ES256, 250 ms", "database", 0.25, frozenset({CHECK}), algorithm="ES256"),
    JWTRevoke(
        name="stateless",
        backend="stateless.StatelessBackend",
        parts=MOST,
        bound=None,
    ),
]
