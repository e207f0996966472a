"""The admin: sessions, the log, signing keys, and "Log out everywhere" on any user admin.

``django.contrib.admin`` finds this package by itself, in either order of ``INSTALLED_APPS``. Our
own ``ready`` does not import it: a theme's may replace the site after that, django-unfold's does,
and what was registered by then would be lost.
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

connect()
