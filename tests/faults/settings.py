"""The suite's site as the processes of a fault run see it.

FAULTS_BACKEND   JSON: BACKEND and OPTIONS of JWT_REVOKE
FAULTS_CACHE     JSON: CACHES["default"]; default: none worth the name
DATABASE_URL     postgres://…
"""

from __future__ import annotations

import json
import os
from datetime import timedelta

from tests.settings import *  # noqa: F403  (as Django's settings extend each other)
from tests.settings import DATABASES, JWT_REVOKE

JWT_REVOKE = {
    **JWT_REVOKE,
    **json.loads(os.environ.get("FAULTS_BACKEND", "{}")),
    # Longer than any clock is stepped: what is refused must be refused for its revocation.
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
}

# Django's own are not on trial, and each request would pay for them.
MIDDLEWARE: list[str] = []

if "FAULTS_CACHE" in os.environ:
    CACHES = {"default": json.loads(os.environ["FAULTS_CACHE"])}

# What a check asks of a site: no wait for the database without an end. A server that is frozen
# with the connection open is beyond these (the kernel still acknowledges for it).
DATABASES["default"] |= {
    "CONN_MAX_AGE": None,
    "OPTIONS": {
        "connect_timeout": 2,
        "tcp_user_timeout": 1000,
        "options": "-c statement_timeout=1000",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(name)s %(levelname)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    # A line for each 401 and 503 would be most of the log.
    "loggers": {
        "django.request": {"level": "CRITICAL"},
        "jwt_revoke": {"level": "CRITICAL"},
    },
}
