"""The example project as it is measured: DEBUG off, whatever a contender changes on top."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from example_project import settings as example
from example_project.settings import *  # noqa: F403  (as Django's settings extend each other)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that ``changes`` names; of a dict, the keys that it does not name stay."""
    return {
        name: {**base.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in changes.items()
    }


DEBUG = False
ROOT_URLCONF = "benchmarks.urls"

_database: dict[str, Any] = {
    **example.DATABASES["default"],
    "CONN_MAX_AGE": None,
    # Django's default. A SELECT before each request's first statement would be held against
    # whoever asks the database.
    "CONN_HEALTH_CHECKS": False,
}
if os.environ.get("BENCH_POOL"):
    # Under ASGI each request has a thread of its own: no connection persists but in a pool.
    _database["CONN_MAX_AGE"] = 0
    _database["OPTIONS"] = {**_database["OPTIONS"], "pool": {"min_size": 2, "max_size": 16}}
elif os.environ.get("BENCH_ASGI"):
    _database["CONN_MAX_AGE"] = 0
DATABASES = {"default": _database}

JWT_REVOKE = {
    **example.JWT_REVOKE,
    # No token may expire in the run.
    "ACCESS_TOKEN_LIFETIME": timedelta(hours=2),
}

# What a server says is read at the end: warnings and worse are all that counts.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"django.request": {"level": "ERROR"}},
}

globals().update(merged(globals(), json.loads(os.environ.get("BENCH_SETTINGS", "{}"))))
