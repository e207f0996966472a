"""The world of a state machine: its settings, its clock, its tables, and what must hold in it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar

from cryptography.fernet import Fernet
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import RequestFactory
from django.test.utils import override_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from jwt_revoke import models
from jwt_revoke.backends.base import get_backend
from jwt_revoke.exceptions import TokenRefused
from jwt_revoke.minting import SignedIn
from jwt_revoke.verification import verified_claims
from tests.attacks.forging import parts_of
from tests.model.clock import Clock
from tests.model.model import (
    IDLE,
    SITTING_LIFE,
    TOKEN_LIFE,
    Account,
    Model,
    Sitting,
    Token,
    as_stored,
)

AGENTS = ("Phone/1", "Laptop/1")
NUMBERS = st.integers(0, 11)
"""Which of those there are, counted from the newest."""
OF_THE_LIVING = 9
"""Below it, of sittings: which of those that live."""
IDLE_STEP = object()
"""Returned by a rule that found nothing to act on."""
TABLES = (
    models.Revocation,
    models.DeviceSession,
    models.UserTokenState,
    models.Generation,
    models.LogCounter,
    models.SigningKey,
    models.ReplicaProcess,
)
ENCRYPTION_KEY = Fernet.generate_key().decode()
RULES: set[str] = set()
"""Names of them all."""
One = TypeVar("One")


def step(**strategies: Any) -> Callable[[Callable[..., Any]], Any]:
    """A rule whose steps are counted, by its name."""

    def decorate(function: Callable[..., Any]) -> Any:
        @functools.wraps(function)
        def counted(self: World, **drawn: Any) -> None:
            if function(self, **drawn) is not IDLE_STEP:
                self.steps[function.__name__] += 1

        RULES.add(function.__name__)
        return rule(**strategies)(counted)

    return decorate


with_sittings = precondition(lambda self: self.model.sittings)
with_stored_keys = precondition(lambda self: self.keys_are_stored)


def pick(ones: list[One], number: int) -> One | None:
    """One of them, the newest for 0; ``None`` where there is none."""
    return ones[-1 - number % len(ones)] if ones else None


class World(RuleBasedStateMachine):
    """Subclasses say which backend. ``by_rows``: it looks at the account's row each time."""

    backend: ClassVar[str] = "jwt_revoke.backends.database.DatabaseBackend"
    options: ClassVar[dict[str, Any]] = {}
    by_rows: ClassVar[bool] = True
    steps: ClassVar[Counter[str]] = Counter()
    clock: ClassVar[Clock] = Clock()

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.names = 0
        self.clock.begin()
        self.keys_are_stored = False
        self.limit: int | None = None
        self.refuses = False
        self.grace = timedelta(0)
        self.on_reuse = "session"
        self.configured: Any = None

    @initialize(
        stored=st.booleans(),
        opaque=st.sampled_from([False, False, True]),
        limit=st.sampled_from([None, None, None, 2]),
        refuses=st.booleans(),
        grace=st.sampled_from([30, 30, 30, 0]),
        on_reuse=st.sampled_from(["session", "user"]),
    )
    def begin(self, stored: bool, opaque: bool, refuses: bool, on_reuse: str, **drawn: Any) -> None:
        self.keys_are_stored, self.refuses, self.on_reuse = stored, refuses, on_reuse
        self.limit, self.grace = drawn["limit"], timedelta(seconds=drawn["grace"])
        (key,) = settings.JWT_REVOKE["SIGNING_KEYS"]
        keys = {
            "KEY_STORE": "database",
            "ALGORITHM": "ES256",
            "SIGNING_KEYS": [{"algorithm": "HS256", "key": key}],
            "KEY_ENCRYPTION_KEYS": [ENCRYPTION_KEY],
        }
        configuration = {
            **settings.JWT_REVOKE,
            **(keys if stored else {}),
            "BACKEND": self.backend,
            "OPTIONS": self.options,
            "SUBJECT": "opaque" if opaque else "pk",
            "MAX_SESSIONS_PER_USER": self.limit,
            "ON_SESSION_LIMIT": "refuse" if refuses else "end_oldest",
            "ON_REUSE": on_reuse,
            "REFRESH_GRACE": self.grace,
        }
        self._empty_the_tables()
        self.configured = override_settings(JWT_REVOKE=configuration)
        self.configured.enable()
        self.people_arrive()

    def teardown(self) -> None:
        if self.configured is not None:
            self.configured.disable()

    def people_arrive(self) -> None:
        """Who is there from the beginning."""

    def make_account(self) -> Account:
        account = Account(self.new_user().pk)
        self.model.accounts.append(account)
        return account

    def new_user(self, **fields: Any) -> Any:
        model = get_user_model()
        self.names += 1
        name = {model.USERNAME_FIELD: f"person-{self.names}"}
        user = model(**name, password=as_stored(0), **fields)
        user.save()
        return user

    def _empty_the_tables(self) -> None:
        # Once an example, and Django's own way of it takes longer than all of its steps.
        with connection.cursor() as cursor:
            for table in (*TABLES, get_user_model()):
                name = connection.ops.quote_name(table._meta.db_table)
                cursor.execute(f"DELETE FROM {name}")

    # what rules ask

    @property
    def now(self) -> datetime:
        return self.clock.now

    def sitting(self, number: int) -> Sitting:
        """One that lives, for most numbers; somebody comes back where there is none."""
        everyone = self.model.sittings
        for _attempt in range(2):
            living = [one for one in everyone if not one.is_over(self.now)]
            if number >= OF_THE_LIVING or living:
                break
            self.somebody_comes_back()
        found = pick(living, number) if number < OF_THE_LIVING else None
        return found or everyone[-1 - number % len(everyone)]

    def somebody_comes_back(self) -> None:
        """Signs in, if they may."""

    def row_of(self, account: Account) -> Any:
        return get_user_model()._base_manager.get(pk=account.key)

    def request(self, agent: str) -> Any:
        return RequestFactory().post("/", HTTP_USER_AGENT=agent)

    def token(self, text: str, ends: datetime) -> Token:
        """An access token that was issued now, in a sitting that ends then: in whole seconds."""
        issued, ends = self.now.replace(microsecond=0), ends.replace(microsecond=0)
        header, _claims = parts_of(text)
        return Token(text, max(issued, min(issued + TOKEN_LIFE, ends)), header["kid"])

    def sat_down(
        self, account: Account, answer: SignedIn, agent: str, ends: datetime | None = None
    ) -> Sitting:
        """A sitting begins."""
        ends = ends or self.now + SITTING_LIFE
        sitting = Sitting(
            account,
            answer.session,
            agent,
            began=self.now,
            ends=ends,
            idle_ends=self.now + IDLE,
            refreshes=[answer.refresh],
            tokens=[self.token(answer.access, ends)],
        )
        self.model.sittings.append(sitting)
        # Which of two is the older is never left to chance.
        self.clock.go_on(0.001)
        return sitting

    def check(self, claims: Any) -> None:
        """Let the token pass, or raise."""
        get_backend().check(claims)

    def accepts(self, sitting: Sitting, token: Token) -> bool:
        """What ``check`` must say."""
        return self.model.accepts(sitting, token, self.now, by_rows=self.by_rows)

    # what must hold

    @invariant()
    def every_token_stands_as_it_should(self) -> None:
        for sitting in self.model.sittings[-10:]:
            for token in sitting.tokens[-3:]:
                expected = self.accepts(sitting, token)
                found = verdict(token.text, self.check)
                assert (found == "live") == expected, (found, expected, sitting, token)
                if found == "revoked":
                    gone = sitting.account.row is None
                    assert gone or sitting.is_over(self.now), "its client threw a live one away"


def verdict(text: str, check: Callable[[Any], Any]) -> str:
    """What an access token is worth: ``live``, or why not."""
    try:
        check(verified_claims(text))
    except TokenRefused as error:
        return error.slug
    return "live"
