"""All of the package at work, and what of it reaches for the network: python -m tests.offline

Prints, as JSON, what was done and what was tried. From the first line on each connection, each
look-up of a name and each new process is noted and forbidden.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import pkgutil
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

REACHING = (
    *("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"),
    *("socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"),
    *("urllib.Request", "http.client.connect", "smtplib.connect", "ftplib.connect"),
    *("subprocess.Popen", "os.system", "os.posix_spawn", "os.exec"),
)
"""Audit events of Python (PEP 578); what C libraries do by themselves raises none."""
tried: list[str] = []


class Forbidden(Exception):
    """Not to be caught as the ``OSError`` of a network that is merely down."""


def forbid(event: str, arguments: tuple[Any, ...]) -> None:
    if event in REACHING:
        tried.append(f"{event} {arguments!r}")
        raise Forbidden(event)


def main() -> None:
    sys.addaudithook(forbid)
    done = [name for step in STEPS for name in step()]
    found = tried[:]
    # Last, or nothing would show that anything is noticed at all.
    with contextlib.suppress(Forbidden):
        socket.create_connection(("127.0.0.1", 9), timeout=1)
    print(json.dumps({"done": done, "tried": found, "noticed": tried[len(found) :]}))


def everything_imported() -> Iterator[str]:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    import jwt_revoke

    for module in pkgutil.walk_packages(jwt_revoke.__path__, "jwt_revoke."):
        importlib.import_module(module.name)
        yield module.name


def commands() -> Iterator[str]:
    from django.core.management import call_command

    quiet = io.StringIO()
    call_command("migrate", verbosity=0)
    yield "migrate"
    for words in (
        "check --deploy",
        "jwt_revoke status",
        "jwt_revoke prune",
        "jwt_revoke reconcile",
    ):
        call_command(*words.split(), stdout=quiet, stderr=quiet)
        yield words
    for words in ("jwt_revoke keys list", "jwt_revoke revoke --everyone"):
        call_command(*words.split(), stdout=quiet, stderr=quiet)
        yield words


def a_day_of_a_user() -> Iterator[str]:
    from rest_framework.test import APIClient

    from tests.conftest import PASSWORD, credentials, make_user

    user = make_user(is_staff=True, is_superuser=True)
    client = APIClient(HTTP_USER_AGENT="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0")

    def post(path: str, **body: Any) -> Any:
        answer = client.post(f"/api/auth/{path}", body)
        assert answer.status_code < 300, (path, answer.content)
        pair = answer.json() if answer.content else {}
        if "access" in pair:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
        return pair

    pair = post("token/", **credentials())
    yield "sign-in"
    pair = post("token/refresh/", refresh=pair["refresh"])
    yield "refresh"
    post("token/verify/", token=pair["refresh"])
    post("reauthenticate/", password=PASSWORD)
    for path in ("/api/ping/", "/api/me/", "/api/auth/sessions/", "/api/auth/jwks.json"):
        assert client.get(path).status_code == 200, path
        yield path
    post("password/change/", old_password=PASSWORD, new_password="staple battery horse")
    post("logout/all/", keep_current=True)
    post("logout/")
    yield "log-out"
    refused = client.post("/api/auth/token/", credentials())
    assert refused.status_code == 401
    user.refresh_from_db()
    client.credentials()
    client.force_login(user)
    for path in ("/admin/jwt_revoke/", "/admin/jwt_revoke/devicesession/", "/account/devices/"):
        assert client.get(path).status_code == 200, path
        yield path


def a_replica() -> Iterator[str]:
    from django.conf import settings
    from django.test import override_settings

    from jwt_revoke.testing import Device
    from tests.conftest import make_user

    replica = {
        "BACKEND": "jwt_revoke.backends.replica.ReplicaBackend",
        "OPTIONS": {"max_staleness": 0, "log": "database"},
    }
    with override_settings(JWT_REVOKE={**settings.JWT_REVOKE, **replica}):
        device = Device(make_user("bob"), "phone")
        assert device.get("/api/ping/").status_code == 200
        yield "replica"


STEPS: tuple[Callable[[], Iterator[str]], ...] = (
    everything_imported,
    commands,
    a_day_of_a_user,
    a_replica,
)

if __name__ == "__main__":
    main()
