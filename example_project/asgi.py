"""ASGI: ``uvicorn example_project.asgi:application``."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
# Under ASGI a request may run on a thread of its own: connections kept open would pile up.
os.environ.setdefault("DJANGO_CONN_MAX_AGE", "0")

application = get_asgi_application()
