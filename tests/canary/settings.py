"""The suite's site as a server of its own runs it, on the database that a test has made.

CANARY_DATABASE  JSON: the name of that database
CANARY_SETTINGS  JSON: BACKEND and OPTIONS of JWT_REVOKE
"""

from __future__ import annotations

import json
import os

from tests.settings import *  # noqa: F403  (as Django's settings extend each other)
from tests.settings import DATABASES, JWT_REVOKE

DATABASES["default"]["NAME"] = json.loads(os.environ["CANARY_DATABASE"])
JWT_REVOKE = {**JWT_REVOKE, **json.loads(os.environ["CANARY_SETTINGS"])}
