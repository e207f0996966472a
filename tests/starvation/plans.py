"""How many entries of the log PostgreSQL reads for a statement, by its own account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection

LOG = "jwt_revoke_revocation"


def entries_read(action: Callable[[], Any]) -> dict[str, int]:
    """For each statement of ``action`` that reads the log, how many entries PostgreSQL looks at.

    Each is run and undone before it is run: afterwards an update would find nothing left to do.
    """
    found: dict[str, int] = {}

    def explain(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        # The log's queries by name too, which do not say what they read.
        if LOG in sql or sql.startswith("EXECUTE jwt_revoke_"):
            scans = [
                node for node in _nodes(_plan(sql, params)) if node.get("Relation Name") == LOG
            ]
            scans = [node for node in scans if node["Node Type"] != "ModifyTable"]
            if scans:
                found[sql] = max(sum(map(_rows, scans)), found.get(sql, 0))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        action()
    return found


def _plan(sql: str, params: Any) -> Any:
    raw: Any = connection.connection
    with raw.transaction(force_rollback=True):
        ((plans,),) = raw.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params).fetchall()
    return plans[0]["Plan"]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _rows(node: dict[str, Any]) -> int:
    """Those thrown away too. (Of a bitmap those that are fetched by it.)"""
    removed = sum(value for name, value in node.items() if name.startswith("Rows Removed by"))
    return round((node["Actual Rows"] + removed) * node["Actual Loops"])
