"""The admin: sessions, the log, signing keys, and "Log out everywhere" on any user admin.

``django.contrib.admin`` finds this package by itself; ``apps.py`` calls ``connect`` so that the
button appears in either order of ``INSTALLED_APPS``.
"""

from .button import connect
from .keys import SigningKeyAdmin
from .log import RevocationAdmin
from .processes import ReplicaProcessAdmin
from .sessions import DeviceSessionAdmin

__all__ = [
    "DeviceSessionAdmin",
    "ReplicaProcessAdmin",
    "RevocationAdmin",
    "SigningKeyAdmin",
    "connect",
]
