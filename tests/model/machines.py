"""One machine for each backend."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import strategies as st

from jwt_revoke.backends.base import get_database_backend
from jwt_revoke.conf import conf
from tests.backends.replica.following import PATH, check_by_copy
from tests.model.accounts import Accounts
from tests.model.model import Sitting, Token
from tests.model.sittings import Sittings
from tests.model.surroundings import Surroundings
from tests.model.world import step, verdict


class ByTheDatabase(Accounts, Sittings, Surroundings):
    """It compares the rows as they stand."""


class ByAReplica(Accounts, Sittings, Surroundings):
    """A copy of the database's log, strict: it knows what was revoked, and nothing else."""

    backend = PATH
    options: ClassVar[dict[str, Any]] = {"timeout": 5}
    by_rows = False

    def check(self, claims: Any) -> None:
        check_by_copy(claims)


class ByAReplicaOfRedis(ByAReplica):
    """The same by Redis's stream, which may be lost at any moment. ``server``: it."""

    options: ClassVar[dict[str, Any]] = {"timeout": 5, "log": "redis", "reconcile_interval": 5}
    server: ClassVar[Any] = None
    KEY = "{jwt_revoke}:log"

    def people_arrive(self) -> None:
        self.stream_is_lost("flushed")
        super().people_arrive()

    def until_found(self) -> None:
        self.clock.go_on(5.1)

    @step(how=st.sampled_from(["flushed", "trimmed", "evicted", "without its end"]))
    def cache_is_lost(self, how: str) -> None:
        """Invariant 3."""
        self.stream_is_lost(how)

    def stream_is_lost(self, how: str) -> None:
        with self.server.client() as client:
            if how == "flushed":
                client.flushall()
            elif how == "trimmed":
                client.xtrim(self.KEY, maxlen=0, approximate=False)
            elif how == "evicted":
                client.delete(self.KEY)
            else:
                # As after a fail-over to a server that had not heard of the newest.
                for entry, _fields in client.xrevrange(self.KEY, count=1):
                    client.xdel(self.KEY, entry)
                self.until_found()


class ByNobody(Accounts, Sittings, Surroundings):
    """The stateless backend: an access token lives until it expires; a refresh asks the rows, and
    so does whoever wants a strict answer."""

    backend = "jwt_revoke.backends.stateless.StatelessBackend"

    def accepts(self, sitting: Sitting, token: Token) -> bool:
        strict = self.model.accepts(sitting, token, self.now, by_rows=True)
        found = verdict(token.text, get_database_backend().check)
        assert (found == "live") == strict, (found, strict, sitting, token)
        return self.now < token.ends and token.kid not in self.model.dead_keys

    def until_heard(self) -> None:
        """No generation is compared, so the keys have to be read again."""
        self.clock.go_on(conf.KEY_REFRESH_INTERVAL.total_seconds() + 1)
