"""Many rows like one that is there, made by the database itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import connection

_AT_ONCE: Final = 500_000


def clone(table: str, count: int, changes: Mapping[str, str]) -> int:
    """``count`` rows like any one of the table's, but for ``changes``: SQL by column, of ``i``.

    The id of the first where it is a number, and 0 elsewhere; they are in a row.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s",
            [table],
        )
        types = dict(cursor.fetchall())
    numbered = types.get("id") == "bigint"
    first = 0
    if numbered:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}")
            first = cursor.fetchone()[0]
        changes = {"id": f"{first} - 1 + i", **changes}
    columns = ", ".join(types)
    values = ", ".join(changes.get(column, f"model.{column}") for column in types)
    for start in range(1, count + 1, _AT_ONCE):
        last = min(start + _AT_ONCE - 1, count)
        execute(
            f"INSERT INTO {table} ({columns}) SELECT {values}"
            f" FROM generate_series({start}, {last}) AS n(i),"
            f" (SELECT * FROM {table}{' ORDER BY id' * numbered} LIMIT 1) AS model"
        )
    if numbered:
        execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {first + count})")
    return first


def execute(sql: str, params: Any = None) -> None:
    """One statement, whose answer is of no interest."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
