"""The example project with django-unfold."""

from __future__ import annotations

from example_project.settings import *  # noqa: F403  (all of them, but for two)
from example_project.settings import INSTALLED_APPS as APPS
from example_project.settings import MIDDLEWARE as EXAMPLE_MIDDLEWARE
from tests.browser.themes.frame import before_the_admin, without_policy

# The package of this module registers the user admin that its documentation asks for.
INSTALLED_APPS = [*before_the_admin(APPS, "unfold"), "tests.browser.themes"]
MIDDLEWARE = without_policy(EXAMPLE_MIDDLEWARE)
