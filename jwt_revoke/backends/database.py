"""The database backend: one SELECT a request compares everything as the rows stand now.

Because nothing is copied, nothing can be missed: ``QuerySet.update()``, ``bulk_update`` and raw
SQL that suspend a user, change a password or delete an account are seen by the next request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import DataError, Error, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.manager import BaseManager
from django.utils import timezone

from ..claims import Claims
from ..conf import conf
from ..database import Slot, describe
from ..exceptions import TokenRevoked, TokenStale, Unavailable
from ..models import DeviceSession, UserTokenState, write_alias
from ..prepared import Statement
from ..standing import (
    OPAQUE_SUBJECT,
    Facts,
    facts_of,
    facts_queryset,
    judge,
    live_sessions,
    require_account,
)
from ..subjects import opaque_subject, plain_key, user_key
from .base import BaseBackend

_SESSION_KEY: Final = DeviceSession._meta.pk
_SUBJECT: Final = cast("models.UUIDField[Any, Any]", UserTokenState._meta.get_field("subject"))


@dataclass(frozen=True, slots=True)
class _Plan:
    """The one SELECT, compiled for one database connection's vendor."""

    statement: Statement
    slots: Sequence[Any]
    fields: Sequence[str]
    first_fact: int
    converters: Sequence[tuple[int, Sequence[Callable[..., Any]], Any]]


class DatabaseBackend(BaseBackend):
    """Strict, and needs nothing but the site's own database."""

    strict = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._user = get_user_model()
        self._key = self._user._meta.pk
        self._subject = OPAQUE_SUBJECT if conf.SUBJECT == "opaque" else "pk"
        self._plans: dict[tuple[str, str], _Plan] = {}

    def check(self, claims: Claims, max_staleness: float | None = None) -> AbstractBaseUser:
        facts = self._found(claims, self._subject)
        judge(claims, facts, timezone.now())
        return facts.user

    def load(self, claims: Claims) -> AbstractBaseUser:
        """The user of a token that another backend let in: there, active, with that password.

        No more than that is compared: a view that revokes its own user, and reads a field after
        it, would be answered 401, and ``ATOMIC_REQUESTS`` roll the revocation back (invariant 2).
        So it goes by the key too: the opaque id may have been renewed in that view.
        """
        facts = self._found(claims, "pk")
        require_account(facts)
        return facts.user

    def _found(self, claims: Claims, by: str) -> Facts:
        using = write_alias()
        try:
            facts = self._facts(using, claims, by)
            if facts is None and self._is_out_of_date(using, claims):
                raise TokenStale("sub is nobody's, by now or as SUBJECT is set")
        except (DataError, OverflowError):
            facts = None  # a key that no column of the user model's can hold
        except Error as error:
            raise Unavailable(describe(error)) from error
        if facts is None:
            raise TokenRevoked("no such user")
        return facts

    def _is_out_of_date(self, using: str, claims: Claims) -> bool:
        """Whether a refresh of its session may bring another ``sub``, which is somebody's."""
        renewable = self._subject == OPAQUE_SUBJECT or user_key(claims) is None
        return renewable and live_sessions(using).filter(pk=claims.sid).exists()

    def _facts(self, using: str, claims: Claims, by: str) -> Facts | None:
        who = opaque_subject(claims) if by == OPAQUE_SUBJECT else user_key(claims)
        if who is None or not _can_be_asked_for(self._field(by), who, connections[using]):
            return None
        if conf.USER_QUERYSET is not None or self._has_own_queryset():
            # A tenant's manager, say: what it filters by may change with every request.
            rows = facts_queryset(using, claims.sid, claims.jti).filter(**{by: who})
            if conf.USER_QUERYSET is not None:
                rows = conf.USER_QUERYSET(rows)
            return next(map(facts_of, rows[:1]), None)
        return self._run(using, by, who, claims)

    def _field(self, by: str) -> models.Field[Any, Any]:
        return _SUBJECT if by == OPAQUE_SUBJECT else self._key

    def _has_own_queryset(self) -> bool:
        manager = type(self._user._default_manager)
        return manager.get_queryset is not BaseManager.get_queryset

    def _run(self, using: str, by: str, who: Any, claims: Claims) -> Facts | None:
        connection = connections[using]
        plan = self._plans.get((using, by))
        if plan is None:
            # Two threads may both compile it, to the same end.
            plan = self._plans[using, by] = self._compile(using, by, connection)
        filled = {
            "who": self._field(by).get_db_prep_value(who, connection),
            "sid": _SESSION_KEY.get_db_prep_value(claims.sid, connection),
            "jti": claims.jti,
        }
        params = [filled[slot.name] if isinstance(slot, Slot) else slot for slot in plan.slots]
        with connection.cursor() as cursor:
            plan.statement.execute(connection, cursor, params)
            found = cursor.fetchone()
        if found is None:
            return None
        row = list(found)
        for position, functions, expression in plan.converters:
            value = row[position]
            for function in functions:
                value = function(value, expression, connection)
            row[position] = value
        first = plan.first_fact
        user = self._user.from_db(using, plan.fields, row[:first])
        return Facts(user, *row[first:])

    def _compile(self, using: str, by: str, connection: BaseDatabaseWrapper) -> _Plan:
        sid, jti = Slot("sid", _SESSION_KEY), Slot("jti", models.CharField())
        asked = {by: Slot("who", self._field(by))}
        queryset = facts_queryset(using, sid, jti).filter(**asked).order_by()
        compiler = queryset.query.get_compiler(using)
        sql, params = compiler.as_sql()
        select = [column for column, _, _ in compiler.select or ()]
        converters = compiler.get_converters(select)
        first_fact = min(compiler.annotation_col_map.values())
        return _Plan(
            statement=Statement(sql),
            slots=params,
            fields=[column.target.attname for column in select[:first_fact]],
            first_fact=first_fact,
            converters=[(at, functions, expr) for at, (functions, expr) in converters.items()],
        )


def _can_be_asked_for(
    key: models.Field[Any, Any], pk: Any, connection: BaseDatabaseWrapper
) -> bool:
    """Whether the database takes that key (MySQL has no 0); a manager's own errors are not ours."""
    plain = plain_key(key)
    if isinstance(plain, models.IntegerField) and isinstance(pk, int):
        # The database's own error about it would make a transaction of the request's unusable.
        least, most = connection.ops.integer_field_range(plain.get_internal_type())
        if not least <= pk <= most:
            return False
    try:
        key.get_db_prep_value(pk, connection)
    except ValueError:
        return False
    return True
