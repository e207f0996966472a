"""SELECTs of one row that are compiled once: to write one takes the ORM longer than to run it.

A row is an instance of the model, and beside it what we annotated it with (``jwt_revoke_…``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.manager import BaseManager

from .database import Slot
from .prepared import Statement

Row = tuple[Any, Sequence[Any]]
"""An instance, and the annotated values in the order in which they were annotated."""


class _Plan(NamedTuple):
    """The SELECT as one database takes it."""

    statement: Statement
    slots: Sequence[Any]
    fields: Sequence[str]
    first: int
    """Where the annotations begin."""
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]


class Compiled:
    """``rows(using, **values)`` makes the queryset over ``model``, as its default manager shows it;
    ``slots`` has a field for each of ``values``.

    Thread-safe. Two threads may both compile it, to the same end.
    """

    def __init__(
        self,
        model: type[models.Model],
        rows: Callable[..., models.QuerySet[Any]],
        slots: Mapping[str, models.Field[Any, Any]],
    ) -> None:
        self._model, self._rows, self._slots = model, rows, slots
        self._plans: dict[tuple[str, str], _Plan] = {}

    def first(self, using: str, **values: Any) -> Row | None:
        """The one row, or ``None``. Raises whatever the database does."""
        manager = type(self._model._default_manager)
        if manager.get_queryset is not BaseManager.get_queryset:
            # A tenant's, say: what it filters by may change with every request.
            return self._first_anew(using, values)
        connection = connections[using]
        # By the zone too: on it depends how some databases are asked for the time.
        kind = using, connection.timezone_name
        plan = self._plans.get(kind)
        if plan is None:
            plan = self._plans[kind] = self._compile(using, connection)
        filled = {
            name: field.get_db_prep_value(values[name], connection)
            for name, field in self._slots.items()
        }
        params = [filled[slot.name] if isinstance(slot, Slot) else slot for slot in plan.slots]
        found = plan.statement.rows(connection, params)
        if not found:
            return None
        row = list(found[0])
        for position, functions, expression in plan.converters:
            value = row[position]
            for function in functions:
                value = function(value, expression, connection)
            row[position] = value
        return self._model.from_db(using, plan.fields, row[: plan.first]), row[plan.first :]

    def _first_anew(self, using: str, values: Mapping[str, Any]) -> Row | None:
        rows = self._rows(using, **values)
        instance = next(iter(rows[:1]), None)
        if instance is None:
            return None
        # The manager's own stay where they are.
        names = [name for name in rows.query.annotation_select if name.startswith("jwt_revoke_")]
        return instance, [instance.__dict__.pop(name) for name in names]

    def _compile(self, using: str, connection: BaseDatabaseWrapper) -> _Plan:
        slots = {name: Slot(name, field) for name, field in self._slots.items()}
        rows = self._rows(using, **slots).order_by()
        compiler = rows.query.get_compiler(using)
        sql, params = compiler.as_sql()
        select = [column for column, _, _ in compiler.select or ()]
        converters = compiler.get_converters(select)
        first = min(compiler.annotation_col_map.values())
        return _Plan(
            statement=Statement(sql),
            slots=params,
            fields=[column.target.attname for column in select[:first]],
            first=first,
            converters=[(at, functions, expr) for at, (functions, expr) in converters.items()],
        )
