"""The example project with django-unfold."""

from __future__ import annotations

from tests.browser.many_sign_ins import *  # noqa: F403  (all of them, but for two)
from tests.browser.many_sign_ins import INSTALLED_APPS as APPS
from tests.browser.many_sign_ins import MIDDLEWARE as EXAMPLE_MIDDLEWARE
from tests.browser.themes.frame import before_the_admin, without_policy

# The package of this module registers the user admin that its documentation asks for.
INSTALLED_APPS = [*before_the_admin(APPS, "unfold"), "tests.browser.themes"]
MIDDLEWARE = without_policy(EXAMPLE_MIDDLEWARE)
