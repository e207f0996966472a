"""Wiring only."""

from django.apps import AppConfig
from django.core.signals import request_finished, request_started
from django.utils.translation import gettext_lazy as _


class JWTRevokeConfig(AppConfig):
    """``INSTALLED_APPS += ["jwt_revoke"]``."""

    name = "jwt_revoke"
    verbose_name = _("Sessions and revocations")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from . import checks, receivers
        from .actor import forget_actor

        receivers.connect()
        checks.connect()
        for moment in (request_started, request_finished):
            moment.connect(forget_actor, dispatch_uid="jwt_revoke.actor")
