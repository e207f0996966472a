"""Who acts: the account to name in the log, taken from the request when there is one.

A context variable, because the code that revokes (a signal of a save deep in somebody's view)
never sees the request. Who it is, is asked for when something is revoked, and not before: to read
``request.user``, or a user's key, may cost a query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from django.http import HttpRequest

_acting: ContextVar[Any] = ContextVar("jwt_revoke_acting", default=None)
"""A user, a ``_Request``, or nobody."""


class _Request(NamedTuple):
    request: HttpRequest


def current_actor() -> str:
    """The primary key of the account that acts, as text; ``""`` for nobody known."""
    who = _acting.get()
    if isinstance(who, _Request):
        who = getattr(who.request, "user", None)
    key = getattr(who, "pk", None)
    return "" if key is None else str(key)


@contextmanager
def acting(request: HttpRequest) -> Iterator[None]:
    """Name the user of ``request`` as the actor of what is revoked inside."""
    token = _acting.set(_Request(request))
    try:
        yield
    finally:
        _acting.reset(token)


set_actor: Final[Callable[[Any], object]] = _acting.set
"""Name a user for the rest of this request (the authentication class has no "inside")."""


def forget_actor(**_kwargs: Any) -> None:
    """Receiver of ``request_started`` and ``request_finished``: a thread serves many requests,
    and does other work between them."""
    _acting.set(None)
