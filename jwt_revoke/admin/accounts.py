"""Accounts as the admin of a site may have registered them: their keys, and their names."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from ..models import write_alias
from ..subjects import plain_key


def key_name() -> str:
    """Where an account keeps the user's primary key: a child model may have one of its own."""
    return str(get_user_model()._meta.pk.attname)


def key_of(account: Any) -> Any:
    """The user's primary key."""
    return getattr(account, key_name())


def possible_keys(texts: Iterable[str]) -> set[Any]:
    """The keys that a user could have, of what the log, or a person, spells as such."""
    field = plain_key(get_user_model()._meta.pk)
    possible = set()
    for text in texts:
        with suppress(ValidationError):  # the log has any text as its actor
            key = field.to_python(text)
            field.run_validators(key)  # a number that no column could hold
            possible.add(key)
    return possible


def names_of(keys: Iterable[str]) -> dict[str, str]:
    """The user names of those ``keys``, as the log spells them, that are somebody's still."""
    users = get_user_model()._base_manager.using(write_alias()).in_bulk(possible_keys(keys))
    return {str(pk): user.get_username() for pk, user in users.items()}
