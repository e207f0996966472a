"""Those who ask: with access tokens, and for new ones."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from itertools import count
from pathlib import Path
from typing import Any, Final

from tests.faults.board import Board, Notice, Rush
from tests.faults.records import Read, Refresh, SignIn
from tests.faults.worker import Worker, bearer, name_of

REFRESH: Final = "/api/auth/token/refresh/"
AGENTS: Final = ("Client/1", "Client/2")
"""That of the clients, and that of who stole from them."""


class Reader(Worker):
    """Asks with every token it hears of, most of all with those about to be revoked."""

    pause, longest_pause = 0.03, 0.1
    refreshing: Final = 0.15
    """The share of what it does that is a refresh."""
    rush_lasts: Final = 0.3

    def __init__(self, orders: dict[str, Any]) -> None:
        super().__init__(orders)
        from jwt_revoke import signals

        self.texts: dict[str, str] = {}
        self.names: list[str] = []
        self.session_of: dict[str, str] = {}
        self.tokens_of: defaultdict[str, list[str]] = defaultdict(list)
        self.chains: defaultdict[str, list[str]] = defaultdict(list)
        self.rotated: list[str] = []
        """Sessions that have a used refresh token."""
        self.hot: deque[tuple[str, float]] = deque()
        self.rush: tuple[Rush, float] | None = None
        self.record = Board(Path(orders["record"]))
        self.numbers = count()
        self.convicted = False

        def convict(**_kwargs: Any) -> None:
            self.convicted = True

        signals.refresh_reused.connect(convict, weak=False)

    def step(self) -> None:
        self._listen()
        draw = self.random.random()
        rush, self.rush = self.rush, None
        if rush is not None and time.monotonic() - rush[1] < self.rush_lasts and draw < 0.5:
            self._refresh(rush[0].session, rush[0].text)
        elif draw < self.refreshing and self.names:
            self._refresh_one()
        elif (token := self._choose()) is not None:
            self._read(token)

    def _listen(self) -> None:
        now = time.monotonic()
        for record in self.board.fresh():
            if isinstance(record, SignIn | Refresh) and record.text:
                self._learn(record)
            elif isinstance(record, Notice):
                self.hot.extend((token, now) for token in record.tokens)
            elif isinstance(record, Rush) and record.by != self.name:
                self.rush = record, now

    def _learn(self, record: SignIn | Refresh) -> None:
        self.texts[record.token] = record.text
        self.names.append(record.token)
        self.session_of[record.token] = record.session
        self.tokens_of[record.session].append(record.token)
        chain = self.chains[record.session]
        if record.refresh_text not in chain:
            chain.append(record.refresh_text)
            if len(chain) > 1:
                self.rotated.append(record.session)

    def _read(self, token: str) -> None:
        start = time.monotonic()
        authorization = bearer(self.texts[token])
        status, note, _ = self.request("get", "/api/ping/", authorization=authorization)
        self.record.write(Read(token, start, time.monotonic(), status, self.name, note))

    def _choose(self) -> str | None:
        """Mostly around its revocation and in the seconds after it; now and then one of any age:
        nothing may revive."""
        since = time.monotonic() - 6
        while self.hot and self.hot[0][1] < since:
            self.hot.popleft()
        draw = self.random.random()
        if self.hot and draw < 0.5:
            # The latest first: what was revoked a moment ago is what a slow copy would miss.
            index = -1 - min(int(self.random.expovariate(0.3)), len(self.hot) - 1)
            return self._akin(self.hot[index][0])
        if self.hot and draw < 0.7:
            return self._akin(self.random.choice(self.hot)[0])
        if self.names and draw < 0.88:
            return self.random.choice(self.names[-50:])
        return self.random.choice(self.names) if self.names else None

    def _akin(self, token: str) -> str:
        """It, or another of its session, which a refresh made."""
        if token in self.session_of and self.random.random() < 0.3:
            return self.random.choice(self.tokens_of[self.session_of[token]])
        return token

    def _refresh_one(self) -> None:
        """Mostly as its client would, at times with all others at once; now and then a replay."""
        draw = self.random.random()
        if self.rotated and draw < 0.15:
            session = self.random.choice(self.rotated[-30:])
            used = self.random.choice(self.chains[session][:-1])
            self._refresh(session, used, self.random.choice(AGENTS))
            # Whoever it was taken from comes back, and is to find the session ended or whole.
            self._refresh(session, self.chains[session][-1])
            return
        token = self._choose() if draw < 0.5 else self.random.choice(self.names[-50:])
        session = self.session_of[token or self.names[-1]]
        current = self.chains[session][-1]
        if self.random.random() < 0.4:
            self.board.write(Rush(session, current, self.name))
            time.sleep(self.random.uniform(0, 0.02))
        self._refresh(session, current)

    def _refresh(self, session: str, text: str, agent: str = AGENTS[0]) -> None:
        self.convicted = False
        start = time.monotonic()
        status, note, answer = self.request("post", REFRESH, {"refresh": text}, user_agent=agent)
        access, successor = (answer["access"], answer["refresh"]) if status == 200 else ("", "")
        made = Refresh(
            session=session,
            presented=name_of(text),
            got=name_of(successor),
            start=start,
            end=time.monotonic(),
            status=status,
            by=self.name,
            token=f"{self.name}.{next(self.numbers)}" if access else "",
            agent=agent,
            convicted=self.convicted,
            text=access,
            refresh_text=successor,
            note=note,
        )
        self.board.write(made)
