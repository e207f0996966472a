"""The processes of a fault run: python -m tests.faults.nursery DESCRIPTOR

It loads Django once and then forks for each message on that socket, as a server that preloads its
workers does: eight interpreters that each import Django would cost a run more than its fault. A
message is the orders of one process, and a socket for it to answer "up", to be told of the rest by
lines of JSON, and to say "done".
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from importlib import import_module
from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.utils.module_loading import import_string

from tests.faults.reader import Reader
from tests.faults.worker import Channel
from tests.faults.writer import Writer


def prepare(channel: Channel, orders: dict[str, Any]) -> None:
    """Make the tables and the users that the others work on; says their keys. Or finds them."""
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.db import connection

    model = get_user_model()
    if model._meta.db_table not in connection.introspection.table_names():
        call_command("migrate", verbosity=0)
        for number in range(orders["users"]):
            model.objects.create_user(f"user{number}", password="pw")
    channel.say(list(model.objects.order_by("pk").values_list("pk", flat=True)))


def work(channel: Channel, orders: dict[str, Any]) -> None:
    worker = {"reader": Reader, "writer": Writer}[orders["role"]](orders)
    channel.say("up")
    worker.run(channel)
    channel.say("done")


def begin(orders: dict[str, Any], descriptor: int) -> None:
    """What a child does with its life."""
    errors = os.open(orders["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(errors, sys.stderr.fileno())
    channel = Channel(descriptor)
    channel.say(os.getpid())
    {"preparer": prepare}.get(orders["role"], work)(channel, orders)


def main() -> None:
    django.setup()
    # What every child would import by itself, in its first request.
    import_module("tests.urls")
    import_module("rest_framework.test")
    import_module("django_redis.pool")
    WSGIHandler()
    import_string(settings.JWT_REVOKE["BACKEND"])
    if planted := os.environ.get("FAULTS_PLANTED"):
        import_string(planted)()
    # What is shared is not to be copied for each child by its garbage collector.
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    desk = socket.socket(fileno=int(sys.argv[1]))
    while True:
        message, descriptors, *_ = socket.recv_fds(desk, 65_536, 1)
        if not message:
            return
        if os.fork() == 0:
            desk.close()
            begin(json.loads(message), descriptors[0])
            return
        os.close(descriptors[0])


if __name__ == "__main__":
    main()
