"""What every theme asks of the settings."""

from __future__ import annotations

POLICY = "example_project.web.middleware.ContentSecurityPolicyMiddleware"


def before_the_admin(apps: list[str], theme: str) -> list[str]:
    """A theme's templates are found before Django's own."""
    admin = apps.index("django.contrib.admin")
    return [*apps[:admin], theme, *apps[admin:]]


def without_policy(middleware: list[str]) -> list[str]:
    """These themes have scripts and styles inline, which the example forbids."""
    return [name for name in middleware if name != POLICY]
