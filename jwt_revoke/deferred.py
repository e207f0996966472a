"""A user of whom only the key is known yet: an instance of the user model, its row not read.

``pk`` and ``is_authenticated`` cost nothing. The first need of anything else runs ``load``, one
query for all fields, and the instance is from then on as an ordinary query would have made it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final
from weakref import proxy

from django.db.models import Model
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

from .conf import conf

Load = Callable[[], Any]
"""Gives the loaded user, or raises what the view is to answer."""


def can_defer(model: type[Model]) -> bool:
    """Whether an instance can wait for its row, here and now.

    Not where the site looks at instances as they are made: what it sees there would be a user
    without fields. Nor where its rows bring more than fields: nothing would tell that an annotation
    is missing. Nor in a coroutine, where a query at an attribute's access is an error.
    """
    if asyncio._get_running_loop() is not None:  # noqa: SLF001  (documented, and raises nothing)
        return False
    # To ask whose the receivers are costs more than all the rest, and mostly there are none.
    if (pre_init.receivers or post_init.receivers) and (
        pre_init.has_listeners(model) or post_init.has_listeners(model)
    ):
        return False
    return _is_plain(model, conf.USER_QUERYSET)


# Asked once: what is overridden or annotated is written in the site's code.
@lru_cache(maxsize=8)
def _is_plain(model: type[Model], user_queryset: Callable[[Any], Any] | None) -> bool:
    """Whether the model makes its instances as Django does, and rows bring nothing but fields."""
    if (
        model.__init__ is not Model.__init__
        or getattr(model.from_db, "__func__", None) is not getattr(Model.from_db, "__func__", None)
        or model.refresh_from_db is not Model.refresh_from_db
    ):
        return False
    rows = model._default_manager.all()
    if user_queryset is not None:
        rows = user_queryset(rows)
    return not (rows.query.annotations or rows.query.extra)


def deferred_user(model: type[Model], using: str, pk: Any, load: Load) -> Any:
    """The user of that key. ``load`` is called once, at the first need of another field."""
    # As from_db() would make it, without its loop over the fields: neither it nor __init__ is
    # anybody's own (can_defer).
    user = model.__new__(model)
    user._state = known = ModelState()
    known.adding, known.db = False, using
    state = user.__dict__
    state[model._meta.pk.attname] = pk
    # On the instance, where Django looks when a field is missing; gone once it is loaded.
    waiting = _Waiting((proxy(user), load))
    state["refresh_from_db"] = waiting.refresh_from_db
    state["__getstate__"] = waiting.getstate
    state["save_base"] = waiting.save_base
    state["delete"] = waiting.delete
    return user


_STAND_INS: Final = ("refresh_from_db", "__getstate__", "save_base", "delete")


class _Waiting(tuple[Any, Load]):
    """Stands in for methods of the user's that are not to be run before the row is read.

    A copy, or a pickle, could not load itself. And what is saved or deleted may be what its token
    dies of: a field that is needed after it would be a 401 then, by which REST framework rolls the
    change back.

    A tuple, because one is made for each request, and an ``__init__`` takes three times as long. Of
    the user it has a proxy: held for itself, it would wait for the garbage collector.
    """

    __slots__ = ()

    def refresh_from_db(
        self, using: str | None = None, fields: Iterable[str] | None = None, **kwargs: Any
    ) -> None:
        user, load = self
        wanted = None if fields is None else set(fields)
        missing = user.get_deferred_fields()
        _adopt(user, load())
        if wanted is None or not wanted <= missing or using is not None or kwargs:
            # Asked for by the site: what was set, or fetched, before is to be read again too.
            user.refresh_from_db(using=using, fields=wanted, **kwargs)

    def getstate(self) -> Any:
        return self._loaded().__getstate__()

    def save_base(self, *args: Any, **kwargs: Any) -> Any:
        return self._loaded().save_base(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        return self._loaded().delete(*args, **kwargs)

    def _loaded(self) -> Any:
        user, _load = self
        user.refresh_from_db(fields=())
        return user


def _adopt(user: Any, loaded: Any) -> None:
    """Give ``user`` the row of ``loaded``; what was set on it meanwhile stays."""
    state, came = user.__dict__, loaded.__dict__
    own = dict(state)
    state.update(came)
    state.update(own)
    changed = {
        field.name
        for field in user._meta.fields
        if field.is_relation and state.get(field.attname) != came.get(field.attname)
    }
    # What was fetched along (USER_QUERYSET), but for a relation that was set meanwhile.
    related = {
        name: value for name, value in loaded._state.fields_cache.items() if name not in changed
    } | user._state.fields_cache
    user._state.__dict__.update(loaded._state.__dict__, fields_cache=related)
    # Two threads may both load it, to the same end.
    for name in _STAND_INS:
        state.pop(name, None)
