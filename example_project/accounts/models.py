from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """A user with a role. ``role`` is in ``WATCHED_FIELDS``: a change ends the access tokens."""

    class Role(models.TextChoices):
        VIEWER = "viewer", _("Viewer")
        EDITOR = "editor", _("Editor")
        MANAGER = "manager", _("Manager")

    role = models.CharField(_("role"), max_length=16, choices=Role.choices, default=Role.VIEWER)
