"""The example project with django-jazzmin."""

from __future__ import annotations

from tests.browser.many_sign_ins import *  # noqa: F403  (all of them, but for two)
from tests.browser.many_sign_ins import INSTALLED_APPS as APPS
from tests.browser.many_sign_ins import MIDDLEWARE as EXAMPLE_MIDDLEWARE
from tests.browser.themes.frame import before_the_admin, without_policy

INSTALLED_APPS = before_the_admin(APPS, "jazzmin")
MIDDLEWARE = without_policy(EXAMPLE_MIDDLEWARE)
# A test does not wait for somebody else's fonts.
JAZZMIN_SETTINGS = {"use_google_fonts_cdn": False}
