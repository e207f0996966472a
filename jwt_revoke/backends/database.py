"""The database backend: one SELECT a request compares everything as the rows stand now.

Because nothing is copied, nothing can be missed: ``QuerySet.update()``, ``bulk_update`` and raw
SQL that suspend a user, change a password or delete an account are seen by the next request.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, cast

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import DataError, Error, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from ..claims import Claims
from ..compiled import Compiled
from ..conf import conf
from ..database import describe
from ..exceptions import TokenRevoked, TokenStale, Unavailable
from ..models import DeviceSession, UserTokenState, write_alias
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


class DatabaseBackend(BaseBackend):
    """Strict, and needs nothing but the site's own database."""

    strict = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self._user = get_user_model()
        self._key = self._user._meta.pk
        self._subject = OPAQUE_SUBJECT if conf.SUBJECT == "opaque" else "pk"
        self._selects = {
            by: Compiled(
                self._user,
                partial(_rows, by),
                {"who": self._field(by), "sid": _SESSION_KEY, "jti": models.CharField()},
            )
            for by in ("pk", OPAQUE_SUBJECT)
        }

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
        if conf.USER_QUERYSET is not None:
            rows = conf.USER_QUERYSET(_rows(by, using, who, claims.sid, claims.jti))
            return next(map(facts_of, rows[:1]), None)
        return self._run(using, by, who, claims)

    def _field(self, by: str) -> models.Field[Any, Any]:
        return _SUBJECT if by == OPAQUE_SUBJECT else self._key

    def _run(self, using: str, by: str, who: Any, claims: Claims) -> Facts | None:
        found = self._selects[by].first(using, who=who, sid=claims.sid, jti=claims.jti)
        return Facts(found[0], *found[1]) if found is not None else None


def _rows(by: str, using: str, who: Any, sid: Any, jti: Any) -> models.QuerySet[Any]:
    return facts_queryset(using, sid, jti).filter(**{by: who})


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
