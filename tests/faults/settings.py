"""The suite's site as the processes of a fault run see it.

FAULTS_BACKEND   JSON: BACKEND and OPTIONS of JWT_REVOKE
FAULTS_CACHE     JSON: CACHES["default"]; default: none worth the name
FAULTS_PLANTED   dotted path of a function of tests.faults.planted: a defect
DATABASE_URL     postgres://… or mysql://…
"""

from __future__ import annotations

import json
import os
from datetime import timedelta

from tests.faults.site import GRACE
from tests.settings import *  # noqa: F403  (as Django's settings extend each other)
from tests.settings import DATABASES, JWT_REVOKE, REST_FRAMEWORK

JWT_REVOKE = {
    **JWT_REVOKE,
    **json.loads(os.environ.get("FAULTS_BACKEND", "{}")),
    # Longer than any clock is stepped: what is refused must be refused for its revocation.
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=30),
    "REFRESH_GRACE": timedelta(seconds=GRACE),
}

# A throttle whose cache is away answers 503, and a refresh is to be judged by what it does.
REST_FRAMEWORK = {**REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {}}

# Django's own are not on trial, and each request would pay for them.
MIDDLEWARE: list[str] = []

if "FAULTS_CACHE" in os.environ:
    CACHES = {"default": json.loads(os.environ["FAULTS_CACHE"])}

# What a check asks of a site: no wait for the database without an end. A PostgreSQL that is frozen
# with the connection open is beyond these (the kernel still acknowledges for it).
OPTIONS = {
    "postgresql": {
        "connect_timeout": 2,
        "tcp_user_timeout": 1000,
        "options": "-c statement_timeout=1000",
    },
    "mysql": {
        "charset": "utf8mb4",
        "connect_timeout": 2,
        "read_timeout": 2,
        "write_timeout": 2,
        # Django's default, which docs/operations.md asks for.
        "isolation_level": "read committed",
        "init_command": "SET SESSION innodb_lock_wait_timeout=1",
    },
}
engine = str(DATABASES["default"]["ENGINE"]).rpartition(".")[2]
DATABASES["default"] |= {"CONN_MAX_AGE": None, "OPTIONS": OPTIONS[engine]}

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
