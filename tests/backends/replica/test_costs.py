"""What following the log costs (docs/queries.md quotes this table), invariants 7 and 8."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jwt_revoke import api
from jwt_revoke.backends.base import get_backend
from jwt_revoke.backends.replica.connection import LogConnection
from jwt_revoke.backends.replica.stream import Stream
from jwt_revoke.testing import Device
from tests.backends.contract import claims_of
from tests.backends.replica.following import check_by_copy
from tests.conftest import make_user
from tests.rest.test_query_counts import NO_STATEMENTS
from tests.wire import AUTH

pytestmark = pytest.mark.django_db(transaction=True)

STRICT = {"log": "database"}
LATE = {"log": "database", "max_staleness": 60}
REDIS = {"log": "redis", "reconcile_interval": 5.0}

COSTS = {
    # what, options: statements of the request, reads of the log, round trips to Redis
    "a request, within bounds": (LATE, 0, 0, 0),
    "a request, strict": (STRICT, 0, 1, 0),
    "a request, strict, by Redis": (REDIS, 0, 0, 1),
    "a request that reads the user": (LATE, 1, 0, 0),
    "log-out": (LATE, 7, 0, 0),
    "log-out, by Redis": (REDIS, 8, 0, 2),
    "log out everywhere": (LATE, 9, 0, 0),
    "role change of many users": (LATE, 12, 0, 0),
}


class Counted:
    """Reads of the log's own connections, and round trips to Redis."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads = self.trips = 0
        rows, ask, pipeline = LogConnection.rows, Stream._ask, Stream._pipeline

        def count_read(connection: Any, sql: str, params: Any) -> Any:
            self.reads += 1
            return rows(connection, sql, params)

        def count_trip(stream: Any, packed: Any) -> Any:
            self.trips += 1
            return ask(stream, packed)

        def count_pipeline(stream: Any, commands: Any) -> Any:
            self.trips += 1
            return pipeline(stream, commands)

        monkeypatch.setattr(LogConnection, "rows", count_read)
        monkeypatch.setattr(Stream, "_ask", count_trip)
        monkeypatch.setattr(Stream, "_pipeline", count_pipeline)


def perform(call: str, phone: Device) -> None:
    if call.startswith("a request"):
        path = "/api/me/" if call.endswith("the user") else "/api/ping/"
        assert phone.get(path).status_code == 200
    elif call.startswith("log-out"):
        assert phone.post(AUTH + "logout/").status_code == 204
    elif call == "log out everywhere":
        assert phone.post(AUTH + "logout/all/").status_code == 204
    else:
        api.revoke_users(get_user_model().objects.all(), effect="access")


@pytest.mark.parametrize("call", COSTS)
def test_the_cost_of(
    call: str,
    replica: Any,
    cache_in_redis: Any,
    phone: Device,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options, statements, reads, trips = COSTS[call]
    backend = replica(**options)
    make_user("bob")
    api.revoke_token(claims_of(phone, jti="makes the log and the stream begin"))
    check_by_copy(claims_of(phone))
    counted = Counted(monkeypatch)
    with CaptureQueriesContext(connection) as captured:
        perform(call, phone)
    sent = [query["sql"] for query in captured if not query["sql"].startswith(NO_STATEMENTS)]
    assert (len(sent), counted.reads, counted.trips) == (statements, reads, trips), "\n".join(sent)
    assert get_backend() is backend
    assert backend.fallbacks == 0


def test_the_documentation_quotes_this_table() -> None:
    page = Path(__file__).resolve().parents[3] / "docs" / "queries.md"
    rows = re.findall(r"^\| (.+?) \| (\d+) \| (\d+) \| (\d+) \|", page.read_text(), re.MULTILINE)
    quoted = {name: tuple(map(int, figures)) for name, *figures in rows}
    assert quoted == {call: figures[1:] for call, figures in COSTS.items()}
