"""What a canary's round measures: a session opened for the purpose, revoked, and asked about."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.utils.translation import gettext as _

from .. import api
from ..claims import CANARY
from ..codec import encode_access
from ..conf import conf
from ..keystore import key_ring
from ..minting import SignedIn
from ..models import write_alias
from ..standing import live_sessions
from ..verification import verified_claims
from .asking import REFUSED, Answer, CanaryFailed, Questioners, Site, clock

SLACK: Final = 0.01
"""Seconds granted to the measuring itself: two threads of one process read the clock."""
_PATIENCE: Final = 10.0
"""Seconds past its bound after which a worker that still accepts is given up."""
_HOPELESS: Final = 5.0
_PHASE: Final = 2.0
_FIND_WITHIN: Final = 30.0
_NOBODY_NEW: Final = 2.0
_LOADING: Final = 1.0
"""Seconds at least of the first search: a worker that had nothing to do yet loads its copy."""


@dataclass
class Worker:
    """What was measured of one worker, a number a round: seconds from the revoke call's return.

    ``refused``: until the first refusal. ``accepted``: until the start of the last request that
    was accepted, of those that began after the return.
    """

    refused: list[float] = field(default_factory=list)
    accepted: list[float] = field(default_factory=list)
    checks: int = 0


def measure(
    site: Site, user: Any, *, bound: float, rounds: int, wanted: int | None = None
) -> Iterator[dict[str, Worker]]:
    """A canary a round; what is known of each worker so far. Raises ``CanaryFailed``.

    ``wanted``: how many workers to find; without it, until none is new for a while. Ends early with
    a round in which a worker went on accepting: the others would take as long.
    """
    _require_room(user)
    found: dict[str, Worker] = {}
    least = _LOADING
    for _number in range(rounds):
        answers, returned = _round(site, user, bound, wanted, least)
        _take_in(answers, returned, found)
        yield found
        if any(max(each.accepted, default=0) > bound + _HOPELESS for each in found.values()):
            return
        wanted, least = wanted or len(found), 0.0


def is_late(worker: Worker, bound: float) -> bool:
    """Whether it accepted a request that began later than it may (invariant 1)."""
    return max(worker.accepted, default=0) > bound + SLACK


def percentile(values: Sequence[float], part: float) -> float:
    """The nearest rank; ``values`` has some."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def _round(
    site: Site, user: Any, bound: float, wanted: int | None, least: float
) -> tuple[list[Answer], float]:
    """One canary's answers, and when the call that revoked it returned."""
    canary = api.sign_in(user, device=CANARY)
    ended = False
    try:
        # Half of the token's life for each step: past its end it is nobody's any more.
        seconds = canary.expires_in / 2
        if bound + 1 > seconds:
            raise CanaryFailed(_("ACCESS_TOKEN_LIFETIME is too short to measure by"))
        token = _marked(canary)
        if least:
            site.ask(token)  # an address where nobody is, or somebody else, is said at once
        with Questioners(site, token) as asking:
            _find(asking, wanted, least, min(_FIND_WITHIN, seconds))
            # At any moment of their intervals: a round ends just after each of them has read.
            time.sleep(random.uniform(0, min(bound, _PHASE)))  # noqa: S311  (no secret)
            sought = set(asking.accepting)
            ended = api.revoke_session(canary.session, reason=CANARY)
            returned = clock()
            asking.until(lambda: sought <= asking.refusing, min(bound + _PATIENCE, seconds))
    finally:
        if not ended:
            api.revoke_session(canary.session, reason=CANARY)
    if not asking.refusing and all(answer.started < returned for answer in asking.answers):
        raise CanaryFailed(asking.problem)
    return asking.answers, returned


def _find(asking: Questioners, wanted: int | None, least: float, most: float) -> None:
    """Wait until enough workers have said that the canary lives."""
    began = clock()
    known, changed = 0, began

    def enough() -> bool:
        nonlocal known, changed
        if len(asking.accepting) != known:
            known, changed = len(asking.accepting), clock()
        if clock() - began < least:
            return False
        if wanted is not None:
            return known >= wanted
        return known > 0 and clock() - changed > _NOBODY_NEW

    if asking.until(enough, most):
        return
    if not known:
        raise CanaryFailed(asking.problem or _("no worker takes the canary for live"))
    # In later rounds that many may have gone: a site grows and shrinks.
    if least and wanted is not None:
        what = {"known": known, "wanted": wanted}
        raise CanaryFailed(_("%(known)d of %(wanted)d workers answered") % what)


def _take_in(answers: Sequence[Answer], returned: float, found: dict[str, Worker]) -> None:
    refused: dict[str, float] = {}
    accepted: dict[str, float] = {}
    for answer in answers:
        name, after = answer.worker, answer.started - returned
        found.setdefault(name, Worker()).checks += 1
        if answer.standing in REFUSED:
            first = min(refused.get(name, math.inf), answer.ended - returned)
            refused[name] = max(0.0, first)
        elif answer.standing == "live" and after >= 0:
            accepted[name] = max(accepted.get(name, 0.0), after)
    for name, delay in refused.items():
        found[name].refused.append(delay)
    for name, delay in accepted.items():
        found[name].accepted.append(delay)


def _marked(canary: SignedIn) -> str:
    """Its access token with the claim that opens ``CanaryView``: signed by this process alone."""
    payload = verified_claims(canary.access).payload
    return encode_access({**payload, CANARY: True}, key_ring())


def _require_room(user: Any) -> None:
    """A canary must not put a device of the user's out."""
    limit = conf.MAX_SESSIONS_PER_USER
    using = write_alias()
    if limit is None or live_sessions(using).filter(user_id=user.pk).count() < limit:
        return
    raise CanaryFailed(_("That user has as many sessions as MAX_SESSIONS_PER_USER allows"))
