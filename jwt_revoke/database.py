"""What we ask of a database beyond the ORM: its clock, its insert-if-missing, its second try."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, ParamSpec, TypeVar, cast

from django.core.exceptions import EmptyResultSet
from django.db import Error, InterfaceError, OperationalError, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Func, Model, Value
from django.db.models.constants import OnConflict
from django.utils import timezone

from .exceptions import Unavailable

P = ParamSpec("P")
R = TypeVar("R")

_MYSQL_TRANSIENT: Final = {1020, 1205, 1213}
"""Record changed since the snapshot, lock wait time-out, deadlock."""
_POSTGRESQL_TRANSIENT: Final = {"40001", "40P01", "55P03"}
"""Serialization failure, deadlock, lock not available (``lock_timeout``)."""
_OWNED: Final = {"postgresql": "FOR KEY SHARE", "mysql": "LOCK IN SHARE MODE"}
_ATTEMPTS: Final = 6
_PATIENCE: Final = 2.0
"""Seconds after which nothing is tried again."""


class DatabaseNow(Func):
    """The database's clock, comparable with what Django stores.

    Not ``django.db.models.functions.Now``: on MySQL and MariaDB that is the server's local time,
    while Django stores UTC there. SQLite runs in this process, so its clock is ours.
    ``ours``: what that says, or the slot for it in what is compiled once.
    """

    arity = 0
    output_field = models.DateTimeField()

    def __init__(self, ours: datetime | Slot | None = None) -> None:
        super().__init__()
        self._ours = ours

    # Func's has named arguments for a template, which this has none of.
    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper, **_kw: Any) -> Any:  # type: ignore[override]
        ours = self._ours
        if isinstance(ours, Slot):
            return "%s", [ours]
        return "%s", [connection.ops.adapt_datetimefield_value(ours or timezone.now())]

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper, **_kw: Any) -> Any:
        return "STATEMENT_TIMESTAMP()", []

    def as_mysql(self, compiler: Any, connection: BaseDatabaseWrapper, **kw: Any) -> Any:
        if connection.timezone_name == "UTC":
            return "UTC_TIMESTAMP(6)", []
        sql, params = self.as_sql(compiler, connection, **kw)
        return f"CAST({sql} AS DATETIME(6))", params


class SecondsAfter(Func):
    """Whole seconds from a moment to a stored time, by the database: it need not parse the time
    for us, and both are as Django writes them, whatever ``USE_TZ`` says."""

    arity = 2
    output_field = models.BigIntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **kwargs: Any) -> Any:
        # Not EXTRACT, which is a numeric since PostgreSQL 14, at twice the cost.
        template = "DATE_PART('epoch', %(expressions)s)::bigint"
        return self.as_sql(compiler, connection, template=template, arg_joiner=" - ", **kwargs)

    def as_mysql(self, compiler: Any, connection: Any, **kwargs: Any) -> Any:
        then, since = self.get_source_expressions()
        swapped = self.copy()
        swapped.set_source_expressions([since, then])
        template = "TIMESTAMPDIFF(SECOND, %(expressions)s)"
        return swapped.as_sql(compiler, connection, template=template, **kwargs)

    def as_sqlite(self, compiler: Any, connection: Any, **kwargs: Any) -> Any:
        sources = [
            Func(Value("%s"), source, function="STRFTIME", output_field=models.CharField())
            for source in self.get_source_expressions()
        ]
        casted = self.copy()
        casted.set_source_expressions(sources)
        template = "CAST(%(expressions)s AS INTEGER)"
        return casted.as_sql(compiler, connection, template=template, arg_joiner=" - ", **kwargs)


class Slot(Expression):
    """A parameter to be filled in later: it stands for itself in the compiled parameters."""

    def __init__(self, name: str, output_field: models.Field[Any, Any]) -> None:
        super().__init__(output_field)
        self.name = name

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        return "%s", [self]


def insert_missing(using: str, row: Model) -> None:
    """Insert ``row`` unless its key is there already; never an error, never an update."""
    type(row)._base_manager.using(using).bulk_create([row], ignore_conflicts=True)


def insert_select(
    using: str,
    model: type[Model],
    source: models.QuerySet[Any],
    values: Mapping[str, Any],
    *,
    missing_only: bool = False,
    owned: bool = False,
) -> int:
    """``INSERT INTO model SELECT … FROM source`` in one statement; the number of rows.

    ``values``: field name → constant or expression over ``source``. With ``missing_only`` a row
    whose key is there already is passed over. ``owned``: the rows of ``source`` can't be deleted
    before this is committed, and whose deletion is under way is waited for, as by a foreign key.
    """
    connection = connections[using]
    quote = connection.ops.quote_name
    on_conflict = OnConflict.IGNORE if missing_only else None
    fields = [_field(model, name) for name in values]
    # Prefixed: the source may have a column or an annotation of the same name.
    selected = {
        f"jwt_revoke_new_{field.name}": value
        if hasattr(value, "resolve_expression")
        else Value(value, output_field=field)
        for field, value in zip(fields, values.values(), strict=True)
    }
    rows = source.using(using).annotate(**selected).values_list(*selected)
    try:
        select, params = rows.query.get_compiler(using).as_sql()
    except EmptyResultSet:
        return 0  # ``none()`` or an empty list of keys: Django has no SQL for nobody
    columns = ", ".join(quote(str(field.column)) for field in fields)
    insert = connection.ops.insert_statement(on_conflict=on_conflict)
    suffix = connection.ops.on_conflict_suffix_sql(fields, on_conflict, [], [])
    # Not select_for_update(), which wants a transaction and knows none as weak as a foreign key's.
    lock = _OWNED.get(connection.vendor, "") if owned else ""
    sql = f"{insert} {quote(model._meta.db_table)} ({columns}) {select} {lock} {suffix}"
    return execute(using, sql, params)


def update_from(
    using: str,
    model: type[Model],
    key: str,
    source: models.QuerySet[Any],
    values: Mapping[str, str],
    *,
    where: str = "",
    rising: bool = False,
) -> int:
    """Update the rows of ``model`` whose field ``key`` stands in ``source``, by a join.

    ``source`` has the annotation ``key`` and those that ``values`` names (field → annotation).
    A join, since ``UPDATE … WHERE key IN (SELECT …)`` is quadratic on MariaDB before 11.1; and
    each value comes from the source, since a joined UPDATE promises no order of assignments.
    ``rising``: no column is made less than it is.
    """
    connection = connections[using]
    quote = connection.ops.quote_name
    table = quote(model._meta.db_table)
    rows = source.using(using).values_list("key", *dict.fromkeys(values.values()))
    select, params = rows.query.get_compiler(using).as_sql()
    # MySQL has the joined columns in scope there, PostgreSQL forbids to say whose they are.
    owner = f"{table}." if connection.vendor == "mysql" else ""
    greatest = "MAX" if connection.vendor == "sqlite" else "GREATEST"

    def assignment(field: str, name: str) -> str:
        column = quote(str(_field(model, field).column))
        value = f"jwt_revoke_source.{quote(name)}"
        if rising:
            value = f"{greatest}({table}.{column}, {value})"
        return f"{owner}{column} = {value}"

    assignments = ", ".join(assignment(field, name) for field, name in values.items())
    joined = f"{table}.{quote(str(_field(model, key).column))} = jwt_revoke_source.{quote('key')}"
    if where:
        joined = f"{joined} AND {table}.{where}"
    if connection.vendor == "mysql":
        template = "UPDATE {table} JOIN ({select}) jwt_revoke_source ON {joined} SET {assignments}"
    else:
        template = (
            "UPDATE {table} SET {assignments} FROM ({select}) AS jwt_revoke_source WHERE {joined}"
        )
    sql = template.format(table=table, select=select, joined=joined, assignments=assignments)
    return execute(using, sql, params)


def _field(model: type[Model], name: str) -> models.Field[Any, Any]:
    return cast("models.Field[Any, Any]", model._meta.get_field(name))


def execute(using: str, sql: str, params: Sequence[Any]) -> int:
    """Run one statement on the site's connection; the number of rows it touched."""
    with connections[using].cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def is_transient(error: Error, vendor: str) -> bool:
    """Whether the same statement may succeed when tried again: a lock, a deadlock, a race."""
    cause = error.__cause__ or error
    if vendor == "sqlite":
        return isinstance(error, OperationalError) and "locked" in str(error)
    if vendor == "mysql":
        return bool(cause.args) and cause.args[0] in _MYSQL_TRANSIENT
    return getattr(cause, "sqlstate", None) in _POSTGRESQL_TRANSIENT


def persistently(using: str, action: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """``action``, tried again a bounded number of times when a lock or a deadlock stops it.

    ``action`` does its own ``atomic()`` and is harmless to repeat. Inside somebody's transaction
    it is tried once: only they can begin anew. Raises ``Unavailable`` when the database can't
    answer (503: a client may try again, and nothing was half done). What a second try could not
    mend, a missing table say, is raised as it is.
    """
    connection = connections[using]
    started = time.monotonic()
    attempt = 1
    while True:
        try:
            return action(*args, **kwargs)
        except Error as error:
            transient = is_transient(error, connection.vendor)
            mendable = transient or is_outage(error)
            # SQLite reports a missing table as it does an outage.
            if connection.in_atomic_block or not mendable or "no such table" in str(error):
                raise
            # Who has waited for a lock has waited already: only what fails fast is tried again.
            late = time.monotonic() - started > _PATIENCE
            if late or attempt == _ATTEMPTS or not transient:
                raise Unavailable(describe(error)) from error
            # Everybody who lost a deadlock is here now: spread them, or they meet again.
            time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311  (no secret)
            attempt += 1


def is_outage(error: BaseException) -> bool:
    """Whether the database, and not the statement, is at fault."""
    return isinstance(error, OperationalError | InterfaceError)


def describe(error: Error) -> str:
    """The error for the log: its kind and code. A driver's whole message may quote a parameter."""
    cause = error.__cause__ or error
    code = getattr(cause, "sqlstate", None) or getattr(cause, "sqlite_errorname", None)
    if code is None and cause.args and isinstance(cause.args[0], int):
        code = cause.args[0]
    return " ".join(str(part) for part in ("database:", type(error).__name__, code) if part)


def lock_rows(queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """``queryset``, its rows locked as they are now (not as an old snapshot has them).

    On PostgreSQL the weaker lock is enough and does not stop foreign keys to the user.
    """
    weaker = connections[queryset.db].features.has_select_for_no_key_update
    return queryset.select_for_update(no_key=weaker)


def as_now(queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
    """``queryset``, whose rows must not be those of an old snapshot: locked where they may be.

    Within a transaction MariaDB and MySQL show rows as they were at its first read; all others
    show each statement the rows as they are, or refuse the write that would follow.
    """
    connection = connections[queryset.db]
    old = connection.vendor == "mysql" and connection.in_atomic_block
    return lock_rows(queryset) if old else queryset


def atomically(using: str, *, refusable: bool = False) -> transaction.Atomic:
    """Our own writes as one transaction, or part of the caller's.

    ``refusable``: a refusal may be raised inside. Within a transaction of the caller's it undoes
    our part of it, and must not make the whole unusable.
    """
    return transaction.atomic(using=using, savepoint=refusable)
