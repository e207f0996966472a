"""``python -m example_project``: make the database and the demo users, then serve."""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from collections.abc import Sequence
from pathlib import Path

WILDCARDS = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


def main(argv: Sequence[str] | None = None) -> None:
    options = parse(argv)
    os.environ.setdefault("DJANGO_DEBUG", "1")
    os.environ.setdefault("DJANGO_ALLOWED_HOSTS", allowed_hosts(options.host))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
    # The demo says for itself what it is; see the block printed below.
    os.environ.setdefault("DJANGO_RUNSERVER_HIDE_WARNING", "true")
    try:
        serve(options.host, options.port)
    except KeyboardInterrupt:
        # Ctrl-C while migrating or seeding: each step is a transaction, the next start goes on.
        sys.exit(130)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m example_project",
        description="Serve the django-jwt-revoke example: a devices page, an API and the admin.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", default=8000, type=int, help="port to listen on (%(default)s)")
    return parser.parse_args(argv)


def allowed_hosts(host: str) -> str:
    """The names a demo on this address answers to: its own, unless it listens everywhere."""
    if host in WILDCARDS:
        return "*"
    return ",".join(["localhost", "127.0.0.1", "[::1]", in_url(host)])


def in_url(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host


def serve(host: str, port: int) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    call_command("seed_demo", verbosity=0)
    print(welcome("localhost" if host in WILDCARDS else host, port), flush=True)
    # No autoreload: it would start this process twice, and seed twice.
    call_command("runserver", f"{in_url(host)}:{port}", use_reloader=False)


def welcome(host: str, port: int) -> str:
    from example_project.accounts.demo import DEMO_USERS

    address = f"http://{in_url(host)}:{port}"
    rows = [f"    {user.username:<9}{user.password:<17}{user.about}" for user in DEMO_USERS]
    return "\n".join(
        [
            "",
            "  django-jwt-revoke, the example project",
            "",
            f"    Page     {address}/",
            f"    Admin    {address}/admin/",
            f"    API      {address}/api/auth/",
            "",
            *rows,
            "",
            "  Known passwords and DEBUG: for this machine only. Ctrl-C stops it.",
            "",
        ]
    )


if __name__ == "__main__":
    if not __package__:
        # Started as `python path/to/example_project`: the path holds this directory only.
        sys.path[0] = str(Path(__file__).resolve().parent.parent)
    main()
