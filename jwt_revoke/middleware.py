"""Optional: names the signed-in account as the actor of what a request revokes.

Not needed for the admin and for requests that a JWT authenticated; a site adds it after
``AuthenticationMiddleware`` to have its own session-authenticated views named too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from .actor import acting

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class ActorMiddleware:
    """Names ``request.user`` in the revocation log, at no cost until something is revoked."""

    sync_capable = True
    async_capable = True

    def __init__(
        self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]
    ) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._acall(request)
        with acting(request):
            return self.get_response(request)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        with acting(request):
            return await cast("Awaitable[HttpResponseBase]", self.get_response(request))
