"""What happens to sessions: opened, refreshed, replayed, raced, ended."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from hypothesis import strategies as st

from jwt_revoke import api, sessions
from jwt_revoke.exceptions import (
    RefreshReused,
    SessionLimitReached,
    SignInRefused,
    TokenRefused,
)
from jwt_revoke.log import Cause
from jwt_revoke.minting import SignedIn
from jwt_revoke.models import DeviceSession
from jwt_revoke.verification import verified_claims
from tests.model.model import IDLE, Sitting, as_stored
from tests.model.world import AGENTS, IDLE_STEP, NUMBERS, World, pick, step, with_sittings
from tests.races.together import is_busy, together

AGENT = st.sampled_from(AGENTS)


class Sittings(World):
    """Whatever a client asks for, and what it is answered."""

    def people_arrive(self) -> None:
        for agent in AGENTS:
            self.make_account()
            self._sign_in(0, agent, outdated=False)

    def somebody_comes_back(self) -> None:
        self._sign_in(0, AGENTS[0], outdated=False)

    @step(number=NUMBERS, agent=AGENT)
    def sign_in(self, number: int, agent: str) -> Any:
        return self._sign_in(number, agent, outdated=False)

    sign_in_again = sign_in
    """Twice as often as others."""

    @step(number=NUMBERS, agent=AGENT)
    def sign_in_by_a_former_password(self, number: int, agent: str) -> Any:
        """It was verified, and changed before the session was opened."""
        return self._sign_in(number, agent, outdated=True)

    def _sign_in(self, number: int, agent: str, *, outdated: bool) -> Any:
        account = pick(self.model.accounts, number)
        if account is None:
            return IDLE_STEP
        row = account.row
        if row is None:
            user = get_user_model()(pk=account.key, password=as_stored(0))
        else:
            user = self.row_of(account)
            self.model.begin_record(account)
            self.model.settle(account)
        if outdated:
            user.password = as_stored(99)
        live = [one for one in self.model.of(account) if not one.is_over(self.now)]
        full = self.limit is not None and len(live) >= self.limit
        try:
            answer = api.sign_in(user, self.request(agent), device="theirs")
        except SessionLimitReached:
            assert full, "there was room"
            assert self.refuses, "the oldest was to end"
            return None
        except SignInRefused:
            assert outdated or row is None or not row.active, "that account may sign in"
            return None
        assert row is not None, "somebody who is gone signed in"
        assert row.active, "an inactive account signed in"
        assert not outdated, "a former password opened a session"
        assert not (full and self.refuses), "one too many"
        if full and self.limit is not None:
            self.model.end(sorted(live, key=lambda one: one.began)[: len(live) - self.limit + 1])
        return self.sat_down(account, answer, agent)

    @with_sittings
    @step(number=NUMBERS, agent=AGENT)
    def refresh(self, number: int, agent: str) -> None:
        """With the newest token, by whichever client."""
        self._refresh(self.sitting(number), 0, agent)

    refresh_again = refresh

    @with_sittings
    @step(number=NUMBERS, back=st.sampled_from([1, 1, 2, 3]), other=st.booleans())
    def replay(self, number: int, back: int, other: bool) -> Any:
        """Invariant 5. Of a token that was used before: by its own client, or by another."""
        sitting = self.sitting(number)
        while len(sitting.refreshes) <= back and not sitting.is_over(self.now):
            known = len(sitting.refreshes)
            self._refresh(sitting, 0, sitting.agent)
            if len(sitting.refreshes) == known:
                break  # it was refused, as it had to be
        if len(sitting.refreshes) <= back:
            return IDLE_STEP
        agent = AGENTS[sitting.agent == AGENTS[0]] if other else sitting.agent
        return self._refresh(sitting, back, agent)

    def _refresh(self, sitting: Sitting, back: int, agent: str) -> None:
        expected = self._expected(sitting, back, agent)
        answer: Any
        try:
            answer = api.refresh(sitting.refreshes[-1 - back], self.request(agent))
        except TokenRefused as error:
            answer = error
        if isinstance(answer, SignedIn):
            assert expected in {"rotated", "repeated"}, f"answered, and is to be {expected}"
            self._refreshed(sitting, answer, agent, repeated=expected == "repeated")
        elif isinstance(answer, RefreshReused):
            assert expected == "reused", f"taken for a replay, and is to be {expected}"
            self._reused(sitting)
        else:
            assert expected == "refused", f"{answer}, and is to be {expected}"

    def _expected(self, sitting: Sitting, back: int, agent: str) -> str:
        """A refresh looks at the account before it asks for a live session."""
        row = sitting.account.row
        if row is None or not sitting.on_record:
            return "refused"
        self.model.settle(sitting.account)
        if sitting.is_over(self.now) or not row.active:
            return "refused"
        if back == 0:
            return "rotated"
        assert sitting.rotated is not None
        within = abs(self.now - sitting.rotated) < self.grace
        return "repeated" if back == 1 and within and agent == sitting.agent else "reused"

    def _reused(self, sitting: Sitting) -> None:
        if self.on_reuse == "user":
            self.model.revoke(sitting.account, "session")
        sitting.alive = False

    def _refreshed(self, sitting: Sitting, answer: SignedIn, agent: str, *, repeated: bool) -> None:
        sitting.tokens.append(self.token(answer.access, sitting.ends))
        if repeated:
            assert answer.refresh == sitting.refreshes[-1], "two successors"
            return
        assert answer.refresh not in sitting.refreshes, "no successor at all"
        sitting.refreshes.append(answer.refresh)
        sitting.rotated, sitting.agent = self.now, agent
        sitting.idle_ends = self.now + IDLE

    @with_sittings
    @step(number=NUMBERS)
    def two_refreshes_at_once(self, number: int) -> None:
        """Invariant 5. Of one token, by two tabs: both get the same successor."""
        sitting = self.sitting(number)
        expected = self._expected(sitting, 0, sitting.agent)
        token, request = sitting.refreshes[-1], self.request(sitting.agent)
        answers = together(*[lambda: api.refresh(token, request)] * 2)
        answers = [answer for answer in answers if not is_busy(answer)]
        granted = [answer for answer in answers if isinstance(answer, SignedIn)]
        refused = [answer for answer in answers if isinstance(answer, TokenRefused)]
        assert len(granted) + len(refused) == len(answers), answers
        if expected == "refused":
            assert not granted, "a session that is over was refreshed"
            return
        for place, answer in enumerate(granted):
            self._refreshed(sitting, answer, sitting.agent, repeated=place > 0)
        if self.grace:
            assert not refused, refused
        elif refused:
            assert len(granted) < 2, "no grace, and two were answered"
            self._reused(sitting)
        else:
            assert len(granted) < 2, "no grace, and two were answered"

    @with_sittings
    @step(number=NUMBERS)
    def refresh_races_log_out(self, number: int) -> None:
        """Invariant 1. Whoever comes first: what the refresh was given opens nothing."""
        sitting = self.sitting(number)
        self._expected(sitting, 0, sitting.agent)
        token, request = sitting.refreshes[-1], self.request(sitting.agent)
        answer, ended = together(
            lambda: api.refresh(token, request), lambda: api.end_session(sitting.key)
        )
        if is_busy(ended):
            api.end_session(sitting.key)  # as whoever was told to try again does
        else:
            assert isinstance(ended, bool), ended
        sitting.alive = False
        if isinstance(answer, SignedIn):
            self._refreshed(sitting, answer, sitting.agent, repeated=False)
        else:
            assert is_busy(answer) or isinstance(answer, TokenRefused), answer
            assert not isinstance(answer, RefreshReused), "nobody replayed anything"

    @with_sittings
    @step(number=NUMBERS)
    def log_out(self, number: int) -> None:
        """A second time, too."""
        sitting = self.sitting(number)
        api.end_session(sitting.key)
        sitting.alive = False

    @with_sittings
    @step(chosen=st.sets(NUMBERS, min_size=1, max_size=3))
    def end_several(self, chosen: set[int]) -> None:
        found = [self.sitting(number) for number in chosen]
        api.revoke_sessions(DeviceSession.objects.filter(pk__in=[one.key for one in found]))
        self.model.end(found)

    @with_sittings
    @step(number=NUMBERS, which=NUMBERS)
    def deny(self, number: int, which: int) -> Any:
        """One access token, until it expires."""
        token = self.sitting(number).tokens[-1 - which % len(self.sitting(number).tokens)]
        if token.kid in self.model.dead_keys or self.now >= token.ends:
            return IDLE_STEP
        api.revoke_token(token.text)
        token.fresh = False
        return None

    @with_sittings
    @step(number=NUMBERS)
    def log_the_others_out(self, number: int) -> Any:
        """This device goes on in a new session, which ends when the old one would have."""
        found = self._open(number)
        if found is None:
            return IDLE_STEP
        sitting, token = found
        user, request = self.row_of(sitting.account), self.request(sitting.agent)
        cause = Cause("logout_all")
        answer = sessions.replace_session(user, verified_claims(token), request, cause)
        self.model.revoke(sitting.account, "session")
        kept = self.sat_down(sitting.account, answer, sitting.agent, sitting.ends)
        kept.began = sitting.began
        return None

    @with_sittings
    @step(number=NUMBERS)
    def choose_another_password(self, number: int) -> Any:
        """This device goes on in a new session, and no other."""
        found = self._open(number)
        if found is None:
            return IDLE_STEP
        sitting, _token = found
        account, user = sitting.account, self.row_of(sitting.account)
        answer = sessions.change_password(user, sitting.key, "new", self.request(sitting.agent))
        self.model.change(account, password=user.password)
        self.model.settle(account)
        self.sat_down(account, answer, sitting.agent)
        return None

    def _open(self, number: int) -> tuple[Sitting, str] | None:
        """One that a view would let in, and its newest token."""
        sitting = pick(self.model.sittings, number)
        if sitting is None:
            return None
        token = sitting.tokens[-1]
        if not self.model.accepts(sitting, token, self.now, by_rows=True):
            return None
        return sitting, token.text
