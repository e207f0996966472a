"""The example project with django-jazzmin."""

from __future__ import annotations

from example_project.settings import *  # noqa: F403  (all of them, but for two)
from example_project.settings import INSTALLED_APPS as APPS
from example_project.settings import MIDDLEWARE as EXAMPLE_MIDDLEWARE
from tests.browser.themes.frame import before_the_admin, without_policy

INSTALLED_APPS = before_the_admin(APPS, "jazzmin")
MIDDLEWARE = without_policy(EXAMPLE_MIDDLEWARE)
# A test does not wait for somebody else's fonts.
JAZZMIN_SETTINGS = {"use_google_fonts_cdn": False}
