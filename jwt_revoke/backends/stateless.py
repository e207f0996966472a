"""No check at all: what is revoked is seen at the next refresh (s15). For measuring.

An access token lives out its few minutes whatever happens to its session or its user. Signing in,
refreshing and logging out ask the database as ever, and so do the views that ask for it
(``max_staleness``, ``FreshRevocationCheck``).
"""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.models import AbstractBaseUser
from django.core import checks
from django.core.checks import CheckMessage

from ..claims import Claims
from ..conf import conf
from .base import BaseBackend, get_database_backend


class StatelessBackend(BaseBackend):
    """Bounded by ``ACCESS_TOKEN_LIFETIME``, and by nothing else."""

    def check(self, claims: Claims, max_staleness: float | None = None) -> AbstractBaseUser | None:
        if max_staleness is None:
            return None
        return get_database_backend().check(claims)

    def system_checks(self) -> Sequence[CheckMessage]:
        minutes = conf.ACCESS_TOKEN_LIFETIME.total_seconds() / 60
        return [
            checks.Warning(
                "The stateless backend revokes no access token: after a log-out, a password "
                f"change or a suspension each works on for up to {minutes:g} minutes.",
                hint="Take jwt_revoke.backends.replica.ReplicaBackend: within its max_staleness "
                "it costs no I/O either.",
                id="jwt_revoke.W301",
            )
        ]
