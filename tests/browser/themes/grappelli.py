"""The example project with django-grappelli."""

from __future__ import annotations

from example_project.settings import *  # noqa: F403  (all of them, but for three)
from example_project.settings import INSTALLED_APPS as APPS
from example_project.settings import MIDDLEWARE as EXAMPLE_MIDDLEWARE
from tests.browser.themes.frame import before_the_admin, without_policy

INSTALLED_APPS = before_the_admin(APPS, "grappelli")
MIDDLEWARE = without_policy(EXAMPLE_MIDDLEWARE)
ROOT_URLCONF = "tests.browser.themes.grappelli_urls"
