"""A process that is one contender's, and checks credentials back to back: ``check.py`` starts it.

Told what by a line of JSON, it answers with one. Each check is of a request that was made for it
alone, whoever the contender: Django keeps the user of a session with the request. And each request
begins and ends as Django has it begin and end, outside of what is timed.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import django

if TYPE_CHECKING:
    from benchmarks.contenders import Contender, Credential
    from benchmarks.timing import Call

SEEN, WITH_USER, FIRST_SIGHT = "seen", "seen + username", "first sight"
CASES: Final = (SEEN, WITH_USER, FIRST_SIGHT)
_SETTLING: Final = 50


@dataclass(frozen=True)
class Checks:
    """``count``: statements and round trips, not times."""

    credentials: list[dict[str, Any]]
    cases: list[str]
    seconds: float
    first_sights: int
    count: bool = False


def main() -> None:
    """One round of one contender."""
    django.setup()
    from benchmarks.contenders import CONTENDERS, Credential
    from benchmarks.plan import Disturbed

    contender = CONTENDERS[os.environ["BENCH_CONTENDER"]]
    checks = Checks(**json.loads(sys.stdin.readline()))
    credentials = [Credential(**fields) for fields in checks.credentials]
    try:
        answer: dict[str, Any] = {"found": _found(contender, credentials, checks)}
    except Disturbed as disturbed:
        answer = {"disturbed": str(disturbed)}
    print(json.dumps(answer), flush=True)


def _found(contender: Contender, credentials: list[Credential], checks: Checks) -> dict[str, Any]:
    from benchmarks.plan import Disturbed
    from benchmarks.timing import timed_beside

    _settle(contender, credentials)
    before = contender.state()
    found: dict[str, Any] = {}
    for case in checks.cases:
        made = _made(case, contender, credentials, checks.first_sights)
        if made:
            found[case] = (_counts if checks.count else timed_beside)(*made, checks.seconds)
    state = contender.state()
    fell = state.fallbacks - before.fallbacks
    if fell or not state.ready:
        raise Disturbed(f"{contender.name}: ready={state.ready}, {fell} fallbacks while measured")
    return found


def _settle(contender: Contender, credentials: list[Credential]) -> None:
    from benchmarks.content import make_ready, request_with
    from benchmarks.plan import Disturbed

    make_ready(contender, credentials[0].header)
    authenticate = contender.authentication().authenticate
    for credential in itertools.islice(itertools.cycle(credentials), _SETTLING):
        found = authenticate(request_with(credential.header, contender))
        if found is None or not found[0].is_authenticated:
            raise Disturbed(f"{contender.name} let somebody in as nobody")
        time.sleep(0.005)


def _made(
    case: str, contender: Contender, credentials: list[Credential], first_sights: int
) -> tuple[Call, Iterator[Any]] | None:
    """What is called, and with what; ``None`` where the contender has no such thing."""
    from benchmarks.content import request_with

    authenticate: Any = contender.authentication().authenticate
    headers = [credential.header for credential in credentials]
    for header in headers:
        authenticate(request_with(header, contender))
    call: Call = authenticate
    again = itertools.cycle(headers)
    if case == WITH_USER:
        if not contender.has_row:
            return None
        call = _with_user(authenticate)
    elif case == FIRST_SIGHT:
        each = -(-first_sights // len(credentials))
        new = [header for one in credentials for header in contender.again(one, each)]
        if not new:
            return None
        return call, _requests(new, contender)
    return call, _requests(again, contender)


def _requests(headers: Iterable[str], contender: Contender) -> Iterator[Any]:
    from django.core.signals import request_finished, request_started

    from benchmarks.content import request_with

    for header in headers:
        request_started.send(sender=None)
        yield request_with(header, contender)
        request_finished.send(sender=None)


def _with_user(authenticate: Any) -> Call:
    """A view that reads the user's name. (What the access itself costs is far below the row's.)"""

    def call(request: Any) -> object:
        found = authenticate(request)
        return found, found[0].username

    return call


def _counts(call: Call, requests: Iterator[Any], seconds: float) -> dict[str, float]:
    from benchmarks.counting import counted
    from benchmarks.timing import timed

    with counted() as counts:
        checks = len(timed(call, requests, seconds))
    return {"statements": counts.statements / checks, "round_trips": counts.round_trips / checks}


if __name__ == "__main__":
    main()
