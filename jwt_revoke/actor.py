"""Who acts: the account to name in the log, taken from the request when there is one.

A context variable, because the code that revokes (a signal of a save deep in somebody's view)
never sees the request. It holds a callable: asking for ``request.user`` may cost a query, which
only a revocation should pay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.http import HttpRequest

_acting: ContextVar[Callable[[], Any] | None] = ContextVar("jwt_revoke_acting", default=None)


def current_actor() -> str:
    """The primary key of the account that acts, as text; ``""`` for nobody known."""
    who = _acting.get()
    user = None if who is None else who()
    key = getattr(user, "pk", None)
    return "" if key is None else str(key)


@contextmanager
def acting(request: HttpRequest) -> Iterator[None]:
    """Name the user of ``request`` as the actor of what is revoked inside."""
    token = _acting.set(lambda: getattr(request, "user", None))
    try:
        yield
    finally:
        _acting.reset(token)


def set_actor(user: Any) -> None:
    """Name ``user`` for the rest of this request (the authentication class has no "inside")."""
    _acting.set(lambda: user)


def forget_actor(**_kwargs: Any) -> None:
    """Receiver of ``request_started`` and ``request_finished``: a thread serves many requests,
    and does other work between them."""
    _acting.set(None)
