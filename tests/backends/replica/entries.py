"""Entries of the log as the tests want them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from jwt_revoke.models import Revocation


def append(subject: str = "1", scope: str = "user", **fields: Any) -> Revocation:
    """An entry that nobody has numbered."""
    now = timezone.now()
    values = {
        "effect": "session",
        "version": 5,
        "created_at": now,
        "expires_at": now + timedelta(minutes=5),
        **fields,
    }
    return Revocation.objects.create(uid=uuid4(), scope=scope, subject=subject, **values)
