"""What everybody serves alike: two addresses that are measured, and one that tells workers apart.

The process that is nobody's own has the example project's before them.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Any

from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.contenders import CONTENDERS

HOLD = 0.01
"""Seconds for which a worker is kept busy, so that the others get their share of the questions."""


class PingView(APIView):
    """Touches nothing of the user: what it costs is what letting someone in costs."""

    def get(self, _request: Request) -> Response:
        return Response({"ok": True})


class MeView(APIView):
    """Reads the user's row, and nothing that hangs on it."""

    def get(self, request: Request) -> Response:
        user: Any = request.user
        return Response(
            {
                "id": user.pk,
                "username": user.get_username(),
                "role": user.role,
            }
        )


class WorkerView(APIView):
    """Who answers, and how the contender stands in this process; a check like any other."""

    def get(self, _request: Request) -> Response:
        time.sleep(HOLD)
        state = CONTENDERS[os.environ["BENCH_CONTENDER"]].state()
        return Response({"pid": os.getpid(), **asdict(state)})


urlpatterns: list[Any] = []
if "BENCH_CONTENDER" not in os.environ:
    from example_project.urls import urlpatterns as example_urlpatterns

    urlpatterns += example_urlpatterns
urlpatterns += [
    path("api/ping/", PingView.as_view()),
    path("api/me/", MeView.as_view()),
    path("bench/worker/", WorkerView.as_view()),
]
