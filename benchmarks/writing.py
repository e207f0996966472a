"""A process that is one contender, and signs in, refreshes and logs out: ``writes.py`` starts it.

Told an operation, how large and how often, by a line of JSON, it answers with what each time took;
told to tally, with what one time was made of. No password is verified in any of it.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import django

from benchmarks.cloning import clone

Call = Callable[[], object]

_POOL: Final = 50
"""Users that have signed in before."""


class Writer:
    """One contender, whose operations are made ready one by one."""

    def __init__(self, contender: Any) -> None:
        self.contender = contender
        self._names = itertools.count()
        self._pool = itertools.cycle(self._signed_in_before())
        self._lots: dict[int, Any] = {}

    def operation(self, name: str, size: int) -> Iterator[Call]:
        """Calls that each do it once; what has to be there before is made between them."""
        made: dict[str, Callable[[int], Iterator[Call]]] = {
            "sign-in": self._sign_in,
            "refresh": self._refresh,
            "log-out": self._log_out,
            "log-out everywhere": self._log_out_everywhere,
            "role change": self._role_change,
            "check": self._check,
        }
        return made[name](size)

    def _sign_in(self, _size: int) -> Iterator[Call]:
        for user in self._pool:
            yield partial(self.contender.sign_in, user)

    def _refresh(self, size: int) -> Iterator[Call]:
        """``size`` refreshes of one session, one after the other."""
        credential = self.contender.sign_in(next(self._pool))

        def refresh() -> None:
            nonlocal credential
            for _ in range(size):
                credential = self.contender.refresh(credential)
                if credential is None:
                    raise _Unsupported

        while True:
            yield refresh

    def _log_out(self, _size: int) -> Iterator[Call]:
        for user in self._pool:
            yield partial(self.contender.end, self.contender.sign_in(user))

    def _log_out_everywhere(self, size: int) -> Iterator[Call]:
        """Of a user who never signed in but ``size`` times."""
        while True:
            user = self._user()
            for _ in range(size):
                self.contender.sign_in(user)
            yield partial(self.contender.end_all, user)

    def _role_change(self, size: int) -> Iterator[Call]:
        users = self._lot(size)
        while True:
            yield partial(self.contender.change_role, users)

    def _check(self, size: int) -> Iterator[Call]:
        """``size`` of them, each by another sign-in."""
        from benchmarks.content import request_with

        users = list(itertools.islice(self._pool, _POOL))
        headers = itertools.cycle([self.contender.sign_in(user).header for user in users])
        authenticate = self.contender.authentication().authenticate
        while True:
            turn = itertools.islice(headers, size)
            requests = [request_with(header, self.contender) for header in turn]
            yield partial(_each, authenticate, requests)

    def _user(self) -> Any:
        from django.contrib.auth import get_user_model

        model: Any = get_user_model()
        return model.objects.create(
            username=f"writer-{os.getpid()}-{next(self._names)}", password="!"
        )

    def _signed_in_before(self) -> list[Any]:
        users = [self._user() for _ in range(_POOL)]
        for user in users:
            self.contender.sign_in(user)
        return users

    def _lot(self, size: int) -> Any:
        """That many users as a queryset; made once, and revoked once, so that all have a row."""
        from django.contrib.auth import get_user_model

        if size not in self._lots:
            model: Any = get_user_model()
            self.contender.change_role(model.objects.none())  # before so much is made for nobody
            names = {"username": f"'lot-{size}-' || i"}
            first = clone(model._meta.db_table, size, names)
            self._lots[size] = model.objects.filter(pk__gte=first, pk__lt=first + size)
            self.contender.change_role(self._lots[size])
        return self._lots[size]


def _each(call: Callable[[Any], object], arguments: list[Any]) -> None:
    for argument in arguments:
        call(argument)


class _Unsupported(Exception):
    """``None`` instead of a successor."""


def timed(writer: Writer, name: str, size: int, times: int) -> dict[str, Any]:
    """The milliseconds of each time."""
    taken = []
    for call in itertools.islice(writer.operation(name, size), times):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return {"ms": taken}


def tally(writer: Writer, name: str, size: int, times: int) -> dict[str, Any]:
    """What the last of them was made of: what the first fills, none after it has to."""
    from dataclasses import asdict

    from benchmarks.tallying import rows_in, tallied

    tables = writer.contender.tables
    calls = itertools.islice(writer.operation(name, size), times)
    for call in itertools.islice(calls, times - 1):
        call()
    call = next(calls)
    before = rows_in(tables)
    with tallied() as found:
        began = time.perf_counter()
        call()
        took = (time.perf_counter() - began) * 1000
    rows = {table: count - before[table] for table, count in rows_in(tables).items()}
    return {**asdict(found), "rows": rows, "ms": took}


def main() -> None:
    """Until nobody speaks."""
    writer = ready_writer()
    print(flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(writer, *json.loads(line))), flush=True)


def ready_writer() -> Writer:
    """With the tables there are to be, which are made where they are missing."""
    django.setup()
    from django.core.management import call_command

    from benchmarks.contenders import CONTENDERS

    call_command("migrate", verbosity=0)
    return Writer(CONTENDERS[os.environ["BENCH_CONTENDER"]])


def answer(writer: Writer, command: str, name: str, size: int, times: int) -> dict[str, Any]:
    """``timed`` or ``tally``, or that it has no such thing."""
    from benchmarks.contenders.base import Unsupported

    try:
        return {"timed": timed, "tally": tally}[command](writer, name, size, times)
    except (Unsupported, _Unsupported):
        return {"unsupported": True}


if __name__ == "__main__":
    main()
