"""The processes of a fault run: python -m tests.faults.worker DESCRIPTOR

It loads Django once and then forks for each message on that socket, as a server that preloads its
workers does: eight interpreters that each import Django would cost a run more than its fault. A
message is the orders of one process, and a socket for it to answer "up", to be told of the rest by
lines of JSON, and to say "done".
"""

from __future__ import annotations

import gc
import json
import os
import random
import select
import signal
import socket
import sys
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from io import StringIO
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Final

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.utils.module_loading import import_string

from tests.faults.board import Board, Notice
from tests.faults.intervals import Read, Revocation, SignIn

RECONCILED_WITHIN: Final = 1.5
"""Seconds until a revocation is seen whose process died before it could publish it: the interval
of one second, and what a busy machine adds to it."""


class Channel:
    """Lines of JSON to and from the test."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._rest = b""

    def say(self, what: Any) -> None:
        self._socket.sendall(json.dumps(what).encode() + b"\n")

    def orders(self, within: float | None) -> list[dict[str, Any]]:
        """What comes in so many seconds; the end is an order to stop."""
        if not select.select([self._socket], [], [], within)[0]:
            return []
        received = self._socket.recv(65_536)
        if not received:
            return [{"do": "stop"}]  # whoever started us is gone
        *lines, self._rest = (self._rest + received).split(b"\n")
        return [json.loads(line) for line in lines]


class Worker(ABC):
    """A loop of operations with a rest between them, so that two cores do for all."""

    pause: ClassVar[float]
    """Seconds; more after an operation that took long, for then the processors are wanted by more
    than there are of them, and to ask sooner would only make each answer later."""
    longest_pause: ClassVar[float]

    def __init__(self, orders: dict[str, Any]) -> None:
        self.name: str = orders["name"]
        self.board = Board(Path(orders["board"]))
        self.random = random.Random(orders["seed"])
        self.going = self.stopped = False
        self.client, self.errors = self._client()

    def request(self, method: str, path: str, token: str) -> tuple[int, str]:
        """The status, and the exception that made it a 500."""
        self.errors.clear()
        send = getattr(self.client, method)
        response = send(path, HTTP_AUTHORIZATION=f"Bearer {token}")
        return response.status_code, "; ".join(self.errors)

    def _client(self) -> tuple[Any, list[str]]:
        from django.core.signals import got_request_exception
        from rest_framework.test import APIClient

        errors: list[str] = []

        def notice(**_kwargs: Any) -> None:
            errors.append(repr(sys.exception())[:300])

        got_request_exception.connect(notice, weak=False)
        return APIClient(raise_request_exception=False), errors

    @abstractmethod
    def step(self) -> None:
        """One operation."""

    def obey(self, order: dict[str, Any]) -> None:
        match order:
            case {"do": "go"}:
                self.going = True
            case {"do": "stop"}:
                self.stopped = True
            case {"do": "step the clock", "by": seconds}:
                step_the_clock(seconds)
            case _:
                raise ValueError(order)

    def run(self, channel: Channel) -> None:
        from django.db import close_old_connections

        took = 0.0
        while not self.stopped:
            rest = self.random.uniform(0.5, 1.5) * max(self.pause, min(took, self.longest_pause))
            for order in channel.orders(rest if self.going else None):
                self.obey(order)
            if self.going and not self.stopped:
                started = time.monotonic()
                # As each request of a site begins; DRF's test client leaves it out.
                close_old_connections()
                self.step()
                took = time.monotonic() - started


class Reader(Worker):
    """Asks with every token it hears of, most of all with those about to be revoked."""

    pause, longest_pause = 0.03, 0.1

    def __init__(self, orders: dict[str, Any]) -> None:
        super().__init__(orders)
        self.texts: dict[str, str] = {}
        self.names: list[str] = []
        self.hot: deque[tuple[str, float]] = deque()
        self.record = Board(Path(orders["record"]))

    def step(self) -> None:
        self._listen()
        token = self._choose()
        if token is None:
            return
        start = time.monotonic()
        status, note = self.request("get", "/api/ping/", self.texts[token])
        self.record.write(Read(token, start, time.monotonic(), status, self.name, note))

    def _listen(self) -> None:
        now = time.monotonic()
        for record in self.board.fresh():
            if isinstance(record, SignIn) and record.text:
                self.texts[record.token] = record.text
                self.names.append(record.token)
            elif isinstance(record, Notice):
                self.hot.extend((token, now) for token in record.tokens)

    def _choose(self) -> str | None:
        """Mostly around its revocation and in the seconds after it; now and then one of any age:
        nothing may revive."""
        since = time.monotonic() - 6
        while self.hot and self.hot[0][1] < since:
            self.hot.popleft()
        draw = self.random.random()
        if self.hot and draw < 0.5:
            # The latest first: what was revoked a moment ago is what a slow copy would miss.
            return self.hot[-1 - min(int(self.random.expovariate(0.3)), len(self.hot) - 1)][0]
        if self.hot and draw < 0.7:
            return self.random.choice(self.hot)[0]
        if self.names and draw < 0.88:
            return self.random.choice(self.names[-50:])
        return self.random.choice(self.names) if self.names else None


@dataclass(frozen=True)
class Task:
    """A revocation to be done, and done again when it was not acknowledged."""

    how: str
    scope: str
    subjects: tuple[str, ...]
    text: str = ""


class Writer(Worker):
    """Signs its own users in, and revokes them in every way there is."""

    pause, longest_pause = 0.08, 0.2
    live_tokens: Final = 12

    def __init__(self, orders: dict[str, Any]) -> None:
        super().__init__(orders)
        from django.contrib.auth import get_user_model

        # Read once: they must be known while the database is away.
        self.users = list(get_user_model().objects.filter(pk__in=orders["users"]))
        self.numbers = count()
        self.live: dict[str, SignIn] = {}
        self.unfinished: list[Task] = []
        self.death = ""
        self.linger = 0.0
        self.everyone = False

    def obey(self, order: dict[str, Any]) -> None:
        match order:
            case {"do": "die", "how": how}:
                self.death = how
            case {"do": "linger", "seconds": seconds}:
                self.linger = seconds
            case {"do": "revoke everyone"}:
                self.everyone = True
            case _:
                super().obey(order)

    def step(self) -> None:
        if self.everyone:
            self.everyone = False
            self.live.clear()
            self._revoke(Task("manage.py jwt_revoke revoke --everyone", "everyone", ()))
        elif self.unfinished and self.random.random() < 0.3:
            self._revoke(self.unfinished.pop(0))
        elif len(self.live) < self.live_tokens:
            self._sign_in()
        else:
            self._revoke(self._choose())

    def _sign_in(self) -> None:
        from jwt_revoke import api

        user, name = self.random.choice(self.users), f"{self.name}.{next(self.numbers)}"
        start = time.monotonic()
        status, note, tokens = attempt(lambda: api.sign_in(user, device=name))
        made = SignIn(
            token=name,
            session=str(tokens.session) if tokens else "",
            user=str(user.pk),
            start=start,
            end=time.monotonic(),
            status=status,
            by=self.name,
            text=tokens.access if tokens else "",
            note=note,
        )
        self.board.write(made)
        if tokens:
            self.live[name] = made

    def _choose(self) -> Task:
        victim = self.random.choice(list(self.live.values()))
        session, user = (victim.session,), (victim.user,)
        group = tuple(str(user.pk) for user in self.random.sample(self.users, 2))
        tasks = [
            (6, Task("logout/", "session", session, victim.text)),
            (5, Task("revoke_session", "session", session)),
            (5, Task("revoke_token", "token", (victim.token,), victim.text)),
            (2, Task("revoke_user", "user", user)),
            (1, Task("revoke_user, access only", "user", user)),
            (1, Task("revoke_users", "user", group)),
        ]
        return self.random.choices([task for _, task in tasks], [weight for weight, _ in tasks])[0]

    def _revoke(self, task: Task) -> None:
        known = Revocation(task.scope, task.subjects, 0, 0, 200, self.name, task.how)
        dying = [token for token in self.live.values() if self._may_kill(known, token)]
        if dying:
            self.board.write(Notice(tuple(token.token for token in dying)))
            time.sleep(self.random.uniform(0, 0.03))
        for token in dying:
            # Whatever comes of it, its standing is not known any more.
            del self.live[token.token]
        start = time.monotonic()
        asked = replace(known, start=start)
        if self.death and task.how.startswith("revoke"):
            self._revoke_and_die(asked, task)
        if self._lingers(task):
            status, note, _ = attempt(lambda: self._do_slowly(task), theirs=True)
        elif task.how == "logout/":
            status, note = self.request("post", "/api/auth/logout/", task.text)
        else:
            status, note, _ = attempt(lambda: self._do(task))
        done = replace(asked, end=time.monotonic(), status=status, note=note)
        self.board.write(done)
        if not done.acknowledged:
            self.unfinished.append(task)

    def _may_kill(self, revocation: Revocation, token: SignIn) -> bool:
        return replace(revocation, start=time.monotonic()).covers(token)

    def _do(self, task: Task) -> None:
        from jwt_revoke import api

        match task.how:
            case "revoke_session":
                api.revoke_session(task.subjects[0])
            case "revoke_token":
                api.revoke_token(task.text)
            case "revoke_user":
                api.revoke_user(self._user(task.subjects[0]))
            case "revoke_user, access only":
                api.revoke_user(self._user(task.subjects[0]), effect="access")
            case "revoke_users":
                model = type(self.users[0])
                api.revoke_users(model.objects.filter(pk__in=task.subjects))
            case _:
                self._command(*task.how.split()[1:])

    def _command(self, *arguments: str) -> None:
        from django.core.management import call_command

        call_command(*arguments, stdout=StringIO())

    def _user(self, key: str) -> Any:
        return next(user for user in self.users if str(user.pk) == key)

    def _lingers(self, task: Task) -> bool:
        # A log-out over HTTP has a transaction of its own, which no caller's can hold open.
        return self.linger > 0 and task.how != "logout/" and self.random.random() < 0.3

    def _do_slowly(self, task: Task) -> None:
        """In a transaction of the site's that stays open for a while."""
        from django.db import transaction

        with transaction.atomic():
            self._do(task)
            time.sleep(self.random.uniform(0, self.linger))

    def _revoke_and_die(self, asked: Revocation, task: Task) -> None:
        """Die right after the commit, before anything of ours that waits for it is run."""
        from django.db import transaction

        def die() -> None:
            end, how = time.monotonic(), f"{task.how}, then died"
            self.board.write(replace(asked, end=end, late=RECONCILED_WITHIN, how=how))
            if self.death == "exit":
                os._exit(0)
            os.kill(os.getpid(), signal.SIGKILL)

        def commit_and_die() -> None:
            with transaction.atomic():
                transaction.on_commit(die)  # the first that asks is the first to be called
                self._do(task)

        attempt(commit_and_die, theirs=True)


def attempt(action: Callable[[], Any], *, theirs: bool = False) -> tuple[int, str, Any]:
    """Status, what went wrong, what the action returned.

    ``theirs``: in a transaction of the site's, where Django's own error comes through, since only
    the site can begin anew.
    """
    from jwt_revoke.database import is_outage
    from jwt_revoke.exceptions import Unavailable

    try:
        return 200, "", action()
    except Unavailable as error:
        return 503, error.detail, None
    except Exception as error:  # noqa: BLE001 - an answer, to be judged like any other
        status = 503 if theirs and is_outage(error) else 500
        return status, f"{type(error).__name__}: {error}"[:300], None


def step_the_clock(seconds: float) -> None:
    """From now on the wall clock of this process is that far off; CLOCK_MONOTONIC is not."""
    from django.utils import timezone

    real_time, real_time_ns, real_now = time.time, time.time_ns, timezone.now
    time.time = lambda: real_time() + seconds
    time.time_ns = lambda: real_time_ns() + int(seconds * 1e9)
    timezone.now = lambda: real_now() + timedelta(seconds=seconds)


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
