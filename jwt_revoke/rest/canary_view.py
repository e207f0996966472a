"""What ``manage.py jwt_revoke canary`` asks of each live worker."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from rest_framework import exceptions, renderers
from rest_framework.request import Request
from rest_framework.response import Response

from ..authentication import bearer_token
from ..backends.base import get_backend
from ..claims import CANARY, Claims
from ..exceptions import TokenRefused, Unavailable
from ..processes import this_process
from ..verification import verified_claims
from .base import OpenView


class CanaryView(OpenView):
    """Which worker answers, and what it holds of the canary's token: nothing to anybody else.

    404 to whoever brings no such token, by whatever method. Not a 401: that would tell what there
    is to be guessed at. No throttle: junk costs it one look, and a site's own limit for strangers
    would stop the measurement.
    """

    renderer_classes = [renderers.JSONRenderer]
    throttle_classes: Any = []
    http_method_names = ["get"]

    def get(self, request: Request) -> Response:
        claims = _canary(request)
        if claims is None:
            raise exceptions.NotFound
        return Response({"worker": str(this_process.id), "standing": _standing(claims)})

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        raise exceptions.NotFound

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # A 406 would say that there is something, in another form.
        return super().perform_content_negotiation(request, force=True)


def _canary(request: Request) -> Claims | None:
    """The claims of a canary's authentic token, whatever its standing."""
    try:
        raw = bearer_token(request)
        claims = None if raw is None else verified_claims(raw)
    except (TokenRefused, exceptions.AuthenticationFailed):
        return None
    return claims if claims is not None and claims.get(CANARY) is True else None


def _standing(claims: Claims) -> str:
    """By the backend that judges the site's requests, in this process."""
    try:
        get_backend().check(claims)
    except (TokenRefused, Unavailable) as error:
        return error.slug
    return "live"
