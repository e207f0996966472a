"""System checks: each misconfiguration has an id of its own and a hint that says what to do.

Errors (``E``) stop ``manage.py``; warnings (``W``) are worth mending before users come;
``I001`` only informs.
"""

from django.core.checks import Tags, register

from .configuration import (
    check_backend,
    check_derived_keys,
    check_keys,
    check_settings,
    check_stored_keys,
)
from .site import check_deployment, check_site


def connect() -> None:
    """Register the checks."""
    for check in (check_settings, check_keys, check_backend, check_site):
        register(check, Tags.security)
    register(check_stored_keys, Tags.database)
    for check in (check_derived_keys, check_deployment):
        register(check, Tags.security, deploy=True)
