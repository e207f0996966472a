"""What a process remembers: the floors, the dead, and when it may forget them."""

from __future__ import annotations

import itertools
import time
from typing import Any
from uuid import UUID, uuid4

import pytest

from jwt_revoke.backends.replica.state import CLOCK_SKEW, ReplicaState
from jwt_revoke.claims import Claims
from jwt_revoke.exceptions import TokenRevoked, TokenStale

pytestmark = pytest.mark.once

SID = UUID(int=7)
LATER = int(time.time()) + 86_400
"""After the run, however long that takes: this is read when it begins."""


def claims(**changes: Any) -> Claims:
    fields = {"sub": "1", "sid": SID, "jti": "j", "ver": 100, "gen": 50}
    return Claims(iat=0, exp=0, auth_time=0, payload={}, **{**fields, **changes})


def state_of(*entries: tuple[Any, ...]) -> ReplicaState:
    state = ReplicaState()
    for scope, subject, effect, version in entries:
        state.apply(scope, subject, effect, version, LATER)
    return state


def verdict(state: ReplicaState, token: Claims) -> str:
    try:
        state.judge(token, token.sub)
    except (TokenRevoked, TokenStale) as error:
        return error.slug
    return "live"


def test_nothing_revoked_lets_everything_pass() -> None:
    assert verdict(ReplicaState(), claims()) == "live"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (("session", str(SID), "session", None), "revoked"),
        (("session", str(uuid4()), "session", None), "live"),
        (("token", "j", "access", None), "stale"),
        (("token", "J", "access", None), "live"),
        (("user", "1", "access", 101), "stale"),
        (("user", "1", "session", 101), "revoked"),
        (("user", "1", "session", 100), "live"),
        (("user", "2", "session", 101), "live"),
        (("everyone", "", "access", 51), "stale"),
        (("everyone", "", "session", 51), "revoked"),
        (("everyone", "", "session", 50), "live"),
    ],
)
def test_one_entry(entry: tuple[Any, ...], expected: str) -> None:
    assert verdict(state_of(entry), claims()) == expected


ENTRIES = [
    ("user", "1", "session", 101),
    ("user", "1", "access", 150),
    ("everyone", "", "access", 90),
    ("everyone", "", "session", 60),
    ("session", str(SID), "session", None),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(len(ENTRIES)))))
def test_order_and_repetition_make_no_difference(order: tuple[int, ...]) -> None:
    """Two cut-offs never mask each other: the later one wins, whichever is read last."""
    state = state_of(*[ENTRIES[at] for at in (*order, *order)])
    assert (state.generation, state.generation_floor) == (90, 60)
    assert state.users["1"][:2] == (150, 101)
    after = claims(ver=120, gen=99, sid=UUID(int=8))
    assert verdict(state, after) == "stale"
    assert verdict(state, claims(ver=100, gen=99, sid=UUID(int=8))) == "revoked"


def test_loading_many_is_the_same_as_applying_each() -> None:
    loaded, applied = ReplicaState(), state_of(*ENTRIES)
    loaded.load([(*entry, LATER, number) for number, entry in enumerate(ENTRIES)])
    for name in ("users", "sessions", "tokens", "generation", "generation_floor"):
        assert getattr(loaded, name) == getattr(applied, name)


def fill(state: ReplicaState, count: int, expires: int) -> None:
    state.load([("session", str(uuid4()), "session", None, expires, n) for n in range(count)])


def test_what_covers_no_living_token_is_forgotten() -> None:
    """Bounded memory: what is kept is at most about twice what is in force."""
    state = state_of(*ENTRIES)
    fill(state, 10_000, int(time.time()) - CLOCK_SKEW - 1)
    state.tidy()
    assert len(state) == 2
    assert verdict(state, claims(gen=99)) == "revoked"


def test_what_a_slow_clock_dated_is_kept_as_long_as_clocks_may_differ() -> None:
    """A writer ten minutes behind dates an entry into our past; its tokens live by our clock."""
    state = ReplicaState()
    fill(state, 10_000, int(time.time()) - CLOCK_SKEW + 60)
    state.tidy()
    assert len(state) == 10_000


def test_tidying_waits_until_the_number_has_doubled() -> None:
    """A pass over a million at each read would be felt."""
    state, later = ReplicaState(), int(time.time()) + 300
    fill(state, 9_999, 0)
    state.tidy()
    assert len(state) == 9_999
    fill(state, 9_999, later)
    state.tidy()
    assert len(state) == 9_999
    fill(state, 9_998, 0)
    state.tidy()
    assert len(state) == 19_997
    fill(state, 2, later)
    state.tidy()
    assert len(state) == 10_001


def test_what_is_all_in_force_is_not_looked_through() -> None:
    """A million that were loaded just now, and only as far as they are in force."""
    state = ReplicaState()
    fill(state, 10_000, 0)
    state.tidied()
    state.tidy()
    assert len(state) == 10_000
    fill(state, 10_000, 0)
    state.tidy()
    assert len(state) == 0


def test_a_burst_is_forgotten_without_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded memory: what was a million once must not stay until it is two."""
    state, now = ReplicaState(), time.time()
    fill(state, 30_000, int(now) + 60)
    state.tidy()
    assert len(state) == 30_000
    monkeypatch.setattr(time, "time", lambda: now + CLOCK_SKEW + 400)
    state.tidy()
    assert len(state) == 0


def test_a_revocation_of_everyone_is_never_forgotten() -> None:
    state = ReplicaState()
    state.apply("everyone", "", "session", 51, 0)
    fill(state, 10_000, 0)
    state.tidy()
    assert verdict(state, claims()) == "revoked"
