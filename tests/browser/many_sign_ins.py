"""The example project's settings, for tests: they sign in more often than people do."""

from __future__ import annotations

from example_project.settings import *  # noqa: F403  (all of them, but for two)
from example_project.settings import REST_FRAMEWORK as EXAMPLE

PASSWORD_HASHERS = ["tests.browser.hashers.QuickHasher"]
REST_FRAMEWORK = {
    **EXAMPLE,
    "DEFAULT_THROTTLE_RATES": dict.fromkeys(EXAMPLE["DEFAULT_THROTTLE_RATES"], "1000/min"),
}
