"""The example project's settings, with its signing keys in the database."""

from __future__ import annotations

import os

from tests.browser.many_sign_ins import *  # noqa: F403  (all of them, but for one)
from tests.browser.many_sign_ins import JWT_REVOKE as EXAMPLE

JWT_REVOKE = {
    **EXAMPLE,
    "KEY_STORE": "database",
    "ALGORITHM": "ES256",
    "KEY_ENCRYPTION_KEYS": [os.environ["BROWSER_KEY_ENCRYPTION_KEY"]],
}
