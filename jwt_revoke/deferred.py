"""A user of whom only the key is known yet: an instance of the user model, its row not read.

``pk`` and ``is_authenticated`` cost nothing. The first need of anything else runs ``load``, one
query for all fields, and the instance is from then on as an ordinary query would have made it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import cache
from types import MethodType
from typing import Any
from weakref import proxy

from django.core.signals import setting_changed
from django.db import router
from django.db.models import Model
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

from .conf import conf
from .models import write_alias
from .subjects import user_model

Load = Callable[..., Any]
"""Gives the loaded user, or raises what the view is to answer."""


def deferred_user(pk: Any, load: Load, *arguments: Any) -> Any:
    """The user of that key. ``load`` is called with those arguments, at the first need of another
    field.

    ``None`` where an instance cannot wait for its row. So it is where the site looks at instances
    as they are made: what it sees there would be a user without fields. Where its rows bring more
    than fields: nothing would tell that an annotation is missing. And in a coroutine, where a query
    at an attribute's access is an error.
    """
    plain = _plain()
    if plain is None or asyncio._get_running_loop() is not None:  # noqa: SLF001  (documented, and raises nothing)
        return None
    model, key_name, using = plain
    # To ask whose the receivers are costs more than all the rest, and mostly there are none.
    if (pre_init.receivers or post_init.receivers) and (
        pre_init.has_listeners(model) or post_init.has_listeners(model)
    ):
        return None
    # As from_db() would make it, without its loop over the fields.
    user = model.__new__(model)
    user._state = known = ModelState()
    known.adding, known.db = False, using or write_alias()
    state = user.__dict__
    state[key_name] = pk
    # On the instance, where Django looks when a field is missing; gone once it is loaded. Bound to
    # a proxy: to the user itself, it would wait for the garbage collector. (A method is made in a
    # third of the time of a ``partial``.)
    waiting = proxy(user)
    state["refresh_from_db"] = MethodType(_refresh_from_db, (waiting, load, arguments))
    # A copy, or a pickle, could not load itself.
    state["__getstate__"] = MethodType(_getstate, waiting)
    return user


def load_before_writing(instance: Any) -> None:
    """Read the row of a user that waits for it, before it is saved or deleted.

    Its token may die of that: a field that is needed after it would be a 401 then, by which REST
    framework rolls the change back.
    """
    refresh = instance.__dict__.get("refresh_from_db")
    if getattr(refresh, "__func__", None) is _refresh_from_db:
        refresh(fields=())


# Asked once: what is overridden or annotated is written in the site's code.
@cache
def _plain() -> tuple[type[Model], str, str] | None:
    """The user model, its key's attribute, and its database, ``""`` where a router is to be asked;
    if it makes its instances as Django does, and its rows bring nothing but fields."""
    model = user_model()
    if (
        model.__init__ is not Model.__init__
        or getattr(model.from_db, "__func__", None) is not getattr(Model.from_db, "__func__", None)
        or model.refresh_from_db is not Model.refresh_from_db
    ):
        return None
    rows = model._default_manager.all()
    if conf.USER_QUERYSET is not None:
        rows = conf.USER_QUERYSET(rows)
    if rows.query.annotations or rows.query.extra:
        return None
    return model, model._meta.pk.attname, "" if router.routers else write_alias()


def _forget(*, setting: str, **_kwargs: Any) -> None:
    if setting in {"JWT_REVOKE", "AUTH_USER_MODEL", "DATABASE_ROUTERS"}:
        _plain.cache_clear()


setting_changed.connect(_forget)


def _refresh_from_db(
    waiting: tuple[Any, Load, tuple[Any, ...]],
    using: str | None = None,
    fields: Iterable[str] | None = None,
    **kwargs: Any,
) -> None:
    user, load, arguments = waiting
    wanted = None if fields is None else set(fields)
    missing = user.get_deferred_fields()
    _adopt(user, load(*arguments))
    if wanted is None or not wanted <= missing or using is not None or kwargs:
        # Asked for by the site: what was set, or fetched, before is to be read again too.
        user.refresh_from_db(using=using, fields=wanted, **kwargs)


def _getstate(user: Any) -> Any:
    # Of another thread's that has just loaded it, this is Django's, and does nothing.
    user.refresh_from_db(fields=())
    return user.__getstate__()


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
    for name in ("refresh_from_db", "__getstate__"):
        state.pop(name, None)
