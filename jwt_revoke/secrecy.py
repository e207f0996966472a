"""What a traceback keeps of functions that hold tokens, keys and passwords: nothing.

Django's ``sensitive_variables`` hides locals from its own error report while DEBUG is off, and from
nobody else who reads a traceback (a debug page, an error tracker); and it costs each call a tenth
of an access token's check. To take the locals out of what was raised costs whoever raises.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from copy import copy
from functools import wraps
from typing import Any, TypeVar, cast

from django.http import HttpRequest
from django.views.debug import get_default_exception_reporter_filter

F = TypeVar("F", bound=Callable[..., Any])


def secret_locals(function: F) -> F:
    """Whatever is raised through it holds no locals of it, and of nothing below it."""

    @wraps(function)
    def kept_secret(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            del args, kwargs
            forget_locals(error)
            raise

    return cast("F", kept_secret)


def forget_locals(error: BaseException) -> None:
    """Take them out of every function that has ended by it, or by what it was raised from."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        traceback.clear_frames(one.__traceback__)
        waiting += [other for other in (one.__cause__, one.__context__) if other is not None]


def hide_form(request: HttpRequest) -> None:
    """Let no error report show what was posted, nor Django's own page of the error under DEBUG.

    By the site's filter, kept awake: Django lets it sleep while DEBUG is on.
    """
    awake: Any = copy(get_default_exception_reporter_filter())
    awake.is_active = lambda _request: True
    request.exception_reporter_filter = awake
    request.sensitive_post_parameters = "__ALL__"  # type: ignore[attr-defined]  # Django's decorator sets it so
