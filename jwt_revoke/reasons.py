"""What the reasons in the log mean, in words (DESIGN §8), and those an administrator picks from.

A site may give any reason of its own to ``api``; it is shown as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

PICKED: Final[Mapping[str, str | Promise]] = {
    "logout_all": _("Asked to be logged out everywhere"),
    "device_lost": _("Device lost or stolen"),
    "account_compromised": _("Account compromised"),
    "suspicious_activity": _("Suspicious activity"),
    "left": _("Left, or changed position"),
    "maintenance": _("Maintenance"),
    "other": _("Another reason"),
}
"""Why an administrator may revoke; the first is the default."""

# In a context: Django has the same words as a page's title, and ours would take its place.
REASONS: Final[Mapping[str, str | Promise]] = {
    "logout": pgettext_lazy("reason", "Logged out"),
    **PICKED,
    "password_changed": _("Password changed"),
    "role_changed": _("Role changed"),
    "suspended": _("Suspended"),
    "deleted": _("Deleted"),
    "refresh_reused": _("Refresh token used twice"),
    "key_compromised": _("Key compromised"),
    "session_limit": _("Too many devices"),
    "ended_by_admin": _("Ended by an administrator"),
    "subject_renewed": _("Subject renewed"),
    "revoked": _("Revoked"),
}
"""Every reason that the package itself writes."""


def reason_text(reason: str) -> str:
    """A reason in words, in the language of whoever looks; one of the site's own as it stands."""
    return str(REASONS.get(reason, reason))
