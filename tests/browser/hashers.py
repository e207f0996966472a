"""Passwords of demo users, on a site that lives for seconds."""

from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """Django's own takes half a second of a processor, by design."""

    iterations = 1
