"""Primary keys as the log spells them (``subject``), and back, in SQL; and UUIDs made there.

``str(pk)`` must come out the same from Python and from every database: a replica looks a token's
``sub`` up by its text.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import connections, models
from django.db.models import Expression, F, Func, Value
from django.db.models.functions import Cast, Concat, Replace, Substr

_UUID_GROUPS: Final = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


class RandomUUID(Func):
    """A fresh random UUID for each row, by the database."""

    arity = 0
    output_field = models.UUIDField()

    def as_postgresql(self, compiler: Any, connection: Any, **_kwargs: Any) -> Any:
        return "GEN_RANDOM_UUID()", []

    def as_mysql(self, compiler: Any, connection: Any, **_kwargs: Any) -> Any:
        # MariaDB's own type refuses what does not say that it is of version 4, variant 1.
        digits = "INSERT(INSERT(MD5(CONCAT(UUID(), RAND(), RAND())), 13, 1, '4'), 17, 1, '8')"
        if not connection.features.has_native_uuid_field:
            return digits, []
        for position in (9, 14, 19, 24):
            digits = f"INSERT({digits}, {position}, 0, '-')"
        return digits, []

    def as_sqlite(self, compiler: Any, connection: Any, **_kwargs: Any) -> Any:
        return "LOWER(HEX(RANDOMBLOB(16)))", []


def subject_of(using: str, key: models.Field[Any, Any]) -> Expression:
    """``str(pk)`` as an SQL expression, spelt the same by every database."""
    key = _plain(key)
    if isinstance(key, models.UUIDField) and not _native_uuid(using):
        groups = [Substr("pk", start, length) for start, length in _UUID_GROUPS]
        first, *others = groups
        hyphenated = [part for group in others for part in (Value("-"), group)]
        return Concat(first, *hyphenated, output_field=models.TextField())
    return Cast("pk", models.TextField())


def key_of_subject(
    using: str, key: models.Field[Any, Any], subject: F = F("subject")
) -> Expression | F:
    """The way back: the primary key that an entry's ``subject`` spells."""
    key = _plain(key)
    if isinstance(key, models.CharField | models.TextField):
        return subject
    if isinstance(key, models.UUIDField) and not _native_uuid(using):
        return Replace(subject, Value("-"), Value(""), output_field=models.CharField())
    if isinstance(key, models.IntegerField):
        return Cast(subject, models.BigIntegerField())
    return Cast(subject, key.clone())


def _plain(key: models.Field[Any, Any]) -> models.Field[Any, Any]:
    """The field that holds the value: a child of a multi-table parent has its parent's key."""
    while isinstance(key, models.ForeignKey):
        key = key.target_field
    return key


def _native_uuid(using: str) -> bool:
    return bool(connections[using].features.has_native_uuid_field)
