"""Whom a token's ``sub`` means; and primary keys as the log spells them, and back, in SQL.

``str(pk)`` must come out the same from Python and from every database: a replica looks a token's
``sub`` up by its text.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.core.signals import setting_changed
from django.db import Error, connections, models
from django.db.models import Expression, F, Func, Value
from django.db.models.functions import Cast, Concat, Replace, Substr

from .claims import Claims
from .conf import conf
from .database import describe
from .exceptions import Unavailable
from .models import UserTokenState, write_alias

_SUBJECTS_KNOWN: Final = 10_000
_UUID_GROUPS: Final = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


@lru_cache(maxsize=1)
def user_model() -> type[AbstractBaseUser]:
    """``get_user_model()``, looked up once: every request needs it."""
    return get_user_model()


def _forget_model(*, setting: str, **_kwargs: Any) -> None:
    if setting == "AUTH_USER_MODEL":
        user_model.cache_clear()
        key_spelt.cache_clear()


setting_changed.connect(_forget_model)


def user_key(claims: Claims) -> Any:
    """The primary key of whom ``sub`` means, or ``None`` when it is none of the user model's.

    An opaque id is looked up, and remembered: whose it was never changes, whatever becomes of it.
    Raises ``Unavailable``.
    """
    if conf.SUBJECT == "opaque":
        subject = opaque_subject(claims)
        try:
            return None if subject is None else _key_of_subject(write_alias(), subject)
        except LookupError:
            return None
        except Error as error:
            raise Unavailable(describe(error)) from error
    return key_spelt(claims.sub)


@lru_cache(_SUBJECTS_KNOWN)
def key_spelt(text: str) -> Any:
    """The primary key of the user model whose text that is, or ``None``."""
    try:
        found = user_model()._meta.pk.to_python(text)
    except ValidationError:
        return None
    # A second spelling of the same key (" 1", "٣") is none of ours.
    return found if str(found) == text else None


def opaque_subject(claims: Claims) -> UUID | None:
    """The opaque id that ``sub`` is, or ``None`` for anything else: a key, from before.

    Spelt as a URN (RFC 9562 §4), which no key is, not even a UUID: neither is taken for the other.
    """
    try:
        subject = UUID(claims.sub)
    except ValueError:
        return None
    return subject if subject.urn == claims.sub else None


def subject_of_user(claims: Claims) -> str | None:
    """The user as the log names them: by the key, whatever ``sub`` says. ``None`` = nobody's."""
    if conf.SUBJECT != "opaque":
        return claims.sub
    key = user_key(claims)
    return None if key is None else str(key)


@lru_cache(_SUBJECTS_KNOWN)
def _key_of_subject(using: str, subject: UUID) -> Any:
    """Raises ``LookupError`` for an id that is nobody's, which is not remembered."""
    states = UserTokenState.objects.using(using).filter(subject=subject)
    key = states.values_list("pk", flat=True).first()
    if key is None:
        raise LookupError
    return key


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
    key = plain_key(key)
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
    key = plain_key(key)
    if isinstance(key, models.CharField | models.TextField):
        return subject
    if isinstance(key, models.UUIDField) and not _native_uuid(using):
        return Replace(subject, Value("-"), Value(""), output_field=models.CharField())
    if isinstance(key, models.IntegerField):
        return Cast(subject, models.BigIntegerField())
    return Cast(subject, key.clone())


def plain_key(key: models.Field[Any, Any]) -> models.Field[Any, Any]:
    """The field that holds the value: a child of a multi-table parent has its parent's key."""
    while isinstance(key, models.ForeignKey):
        key = key.target_field
    return key


def _native_uuid(using: str) -> bool:
    return bool(connections[using].features.has_native_uuid_field)
