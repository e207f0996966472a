"""The suite's site as one would run it that is asked by many.

STARVED  JSON, all optional: ``rates`` of throttles, ``proxies`` in front of it, ``cache`` (of
         CACHES), ``database`` (more of DATABASES: the port of a proxy, say)
"""

from __future__ import annotations

import json
import os
from datetime import timedelta

from tests.canary.settings import *  # noqa: F403  (as Django's settings extend each other)
from tests.canary.settings import CACHES, DATABASES, JWT_REVOKE, MIDDLEWARE, REST_FRAMEWORK

_own = json.loads(os.environ["STARVED"])
MIDDLEWARE = ["tests.starvation.middleware.telling", *MIDDLEWARE]
CACHES = {"default": {**CACHES["default"], **_own.get("cache", {})}}
REST_FRAMEWORK = {
    **REST_FRAMEWORK,
    "NUM_PROXIES": _own.get("proxies"),
    "DEFAULT_THROTTLE_RATES": {**REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"], **_own.get("rates", {})},
}
# Each thread keeps its connection, so that those there are can be counted; and to make one costs
# more than what is asked on it.
DATABASES["default"] |= {"CONN_MAX_AGE": None, **_own.get("database", {})}
# Under load the last of many may be served long after the first.
JWT_REVOKE = {**JWT_REVOKE, "REFRESH_GRACE": timedelta(minutes=10)}
