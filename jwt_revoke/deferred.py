"""A user of whom only the key is known yet: an instance of the user model, its row not read.

``pk`` and ``is_authenticated`` cost nothing. The first need of anything else runs ``load``, one
query for all fields, and the instance is from then on as an ordinary query would have made it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from django.db.models import Model
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

Load = Callable[[], Any]
"""Gives the loaded user, or raises what the view is to answer."""


def can_defer(model: type[Model]) -> bool:
    """Whether an instance can wait for its row, here and now.

    Not where the site looks at instances as they are made: what it sees there would be a user
    without fields. Nor in a coroutine, where a query at an attribute's access is an error.
    """
    if asyncio._get_running_loop() is not None:  # noqa: SLF001  (documented, and raises nothing)
        return False
    overridden = (
        model.__init__ is not Model.__init__
        or model.from_db.__func__ is not Model.from_db.__func__  # type: ignore[attr-defined]
        or model.refresh_from_db is not Model.refresh_from_db
    )
    return not (overridden or pre_init.has_listeners(model) or post_init.has_listeners(model))


def deferred_user(model: type[Model], using: str, pk: Any, load: Load) -> Any:
    """The user of that key. ``load`` is called once, at the first need of another field."""
    # As from_db() would make it, without its loop over the fields: neither it nor __init__ is
    # anybody's own (can_defer).
    user = model.__new__(model)
    user._state = ModelState()
    user._state.adding, user._state.db = False, using
    state = user.__dict__
    state[model._meta.pk.attname] = pk
    # On the instance, where Django looks when a field is missing; gone once it is loaded.
    state["refresh_from_db"] = _Refresh(user, load)
    state["__getstate__"] = _GetState(user)
    return user


class _Refresh:
    """Stands in for ``refresh_from_db`` until the row is read."""

    def __init__(self, user: Any, load: Load) -> None:
        self.user, self.load = user, load

    def __call__(
        self, using: str | None = None, fields: Iterable[str] | None = None, **kwargs: Any
    ) -> None:
        wanted = None if fields is None else set(fields)
        _adopt(self.user, self.load())
        if wanted is None or using is not None or kwargs:
            self.user.refresh_from_db(using=using, fields=fields, **kwargs)


class _GetState:
    """A copy, or a pickle, is one of the loaded user: it could not load itself."""

    def __init__(self, user: Any) -> None:
        self.user = user

    def __call__(self) -> Any:
        user = self.user
        if "refresh_from_db" in user.__dict__:
            user.refresh_from_db(fields=())
        return user.__getstate__()


def _adopt(user: Any, loaded: Any) -> None:
    """Give ``user`` the row of ``loaded``; what was set on it meanwhile stays."""
    state = user.__dict__
    del state["refresh_from_db"], state["__getstate__"]
    own = dict(state)
    state.update(loaded.__dict__)
    state.update(own)
    # Relations that the site had fetched along (USER_QUERYSET).
    user._state.fields_cache.update(loaded._state.fields_cache)
    user._state.db = loaded._state.db
