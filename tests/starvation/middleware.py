"""What only a process itself knows, in headers of each answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from jwt_revoke.backends.base import get_backend
from jwt_revoke.keystore import current_keys


def telling(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Which process answered, how many threads it has and how many verified tokens it remembers;
    and whether its replica, if it has one, is one by now."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        remembered: Any = current_keys().verified
        response["X-Worker"] = str(os.getpid())
        response["X-Threads"] = str(threading.active_count())
        response["X-Remembered"] = str(remembered.cache_info().currsize)
        response["X-Ready"] = str(getattr(get_backend(), "ready", None))
        return response

    return answer
