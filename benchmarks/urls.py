"""The example project's, and behind them one address that tells the workers apart."""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Any

from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.contenders import CONTENDERS
from example_project.urls import urlpatterns as example_urlpatterns

HOLD = 0.01
"""Seconds for which a worker is kept busy, so that the others get their share of the questions."""


class WorkerView(APIView):
    """Who answers, and how the contender stands in this process; a check like any other."""

    permission_classes = [IsAuthenticated]

    def get(self, _request: Request) -> Response:
        time.sleep(HOLD)
        state = CONTENDERS[os.environ["BENCH_CONTENDER"]].state()
        return Response({"pid": os.getpid(), **asdict(state)})


urlpatterns: list[Any] = [
    *example_urlpatterns,
    path("bench/worker/", WorkerView.as_view()),
]
