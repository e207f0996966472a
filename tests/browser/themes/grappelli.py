"""The example project with django-grappelli."""

from __future__ import annotations

from tests.browser.many_sign_ins import *  # noqa: F403  (all of them, but for three)
from tests.browser.many_sign_ins import INSTALLED_APPS as APPS
from tests.browser.many_sign_ins import MIDDLEWARE as EXAMPLE_MIDDLEWARE
from tests.browser.themes.frame import before_the_admin, without_policy

INSTALLED_APPS = before_the_admin(APPS, "grappelli")
MIDDLEWARE = without_policy(EXAMPLE_MIDDLEWARE)
ROOT_URLCONF = "tests.browser.themes.grappelli_urls"
