"""Those who sign in and revoke, in every way there is."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from io import StringIO
from itertools import count
from typing import Any, Final

from tests.faults.board import Notice
from tests.faults.records import Refresh, Revocation, SignIn
from tests.faults.worker import Worker, bearer, name_of

RECONCILED_WITHIN: Final = 1.5
"""Seconds until a revocation is seen whose process died before it could publish it: the interval
of one second, and what a busy machine adds to it."""


@dataclass(frozen=True)
class Task:
    """A revocation to be done, and done again when it was not acknowledged."""

    how: str
    scope: str
    subjects: tuple[str, ...]
    text: str = ""
    effect: str = "session"


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
        self.latest: dict[str, tuple[str, str]] = {}
        """Session → the name and the text of the access token that the last refresh brought."""
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
        self._listen()
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

    def _listen(self) -> None:
        mine = {one.session for one in self.live.values()}
        for record in self.board.fresh():
            if isinstance(record, Refresh) and record.text and record.session in mine:
                self.latest[record.session] = record.token, record.text

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
            refresh=name_of(tokens.refresh) if tokens else "",
            text=tokens.access if tokens else "",
            refresh_text=tokens.refresh if tokens else "",
            note=note,
        )
        self.board.write(made)
        if tokens:
            self.live[name] = made

    def _choose(self) -> Task:
        victim = self.random.choice(list(self.live.values()))
        session, user = (victim.session,), (victim.user,)
        # Of what the client holds now, or of what it held at first.
        first = victim.token, victim.text
        token, text = self.random.choice([first, self.latest.get(victim.session, first)])
        group = tuple(str(user.pk) for user in self.random.sample(self.users, 2))
        tasks = [
            (6, Task("logout/", "session", session, text)),
            (5, Task("revoke_session", "session", session)),
            (5, Task("revoke_token", "token", (token,), text)),
            (2, Task("revoke_user", "user", user)),
            (1, Task("revoke_user, access only", "user", user, effect="access")),
            (1, Task("revoke_users", "user", group)),
        ]
        return self.random.choices([task for _, task in tasks], [weight for weight, _ in tasks])[0]

    def _revoke(self, task: Task) -> None:
        known = Revocation(
            task.scope, task.subjects, 0, 0, 200, self.name, task.how, effect=task.effect
        )
        dying = [token for token in self.live.values() if self._may_kill(known, token)]
        named = task.subjects if task.scope == "token" else ()
        if dying or named:
            tokens = dict.fromkeys([*named, *(one.token for one in dying)])
            self.board.write(Notice(tuple(tokens)))
            time.sleep(self.random.uniform(0, 0.03))
        for token in dying:
            # Whatever comes of it, its standing is not known any more.
            del self.live[token.token]
            self.latest.pop(token.session, None)
        start = time.monotonic()
        asked = replace(known, start=start)
        if self.death and task.how.startswith("revoke"):
            self._revoke_and_die(asked, task)
        if self._lingers(task):
            status, note, _ = attempt(lambda: self._do_slowly(task), theirs=True)
        elif task.how == "logout/":
            authorization = bearer(task.text)
            status, note, _ = self.request("post", "/api/auth/logout/", authorization=authorization)
        else:
            status, note, _ = attempt(lambda: self._do(task))
        done = replace(asked, end=time.monotonic(), status=status, note=note)
        self.board.write(done)
        if not done.acknowledged:
            self.unfinished.append(task)

    def _may_kill(self, revocation: Revocation, token: SignIn) -> bool:
        return replace(revocation, start=time.monotonic()).covers(token.access)

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
