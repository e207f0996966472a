"""What only a process itself knows, in a header of each answer."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from jwt_revoke.keystore import current_keys


def telling(get_response: Callable[[HttpRequest], HttpResponse]) -> Any:
    """Which process answered, and how many verified tokens it remembers."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response["X-Worker"] = str(os.getpid())
        remembered: Any = current_keys().verified
        response["X-Remembered"] = str(remembered.cache_info().currsize)
        return response

    return answer
