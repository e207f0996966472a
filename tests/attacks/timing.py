"""How long a refusal takes, by its cause: python -m tests.attacks.timing [--tries N] [--only …]

Reported and not asserted: CI counts hashes and statements instead (test_enumeration.py), since a
busy machine moves any clock. In one process by Django's test client: whoever asks over a network
sees the same differences, and its noise on top. Interleaved in random order, with Django's default
hasher; on SQLite unless DATABASE_URL names another database, which is migrated and left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import random
import secrets
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import django

from benchmarks.figures import percentile, table

LIMIT: Final = 0.05
"""By how much the medians of refused sign-ins may differ."""
PASSWORD: Final = "correct horse battery staple"
SETTLING: Final = 3

Ask = Callable[[], Any]


class Taken(NamedTuple):
    """Milliseconds of one try. Only the processor's are not others' too on a busy machine."""

    clock: float
    processor: float


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.timing", description=__doc__)
    parser.add_argument("--tries", type=int, default=200, help="of each kind")
    parser.add_argument("--iterations", type=int, help="of the hasher; fewer magnify a difference")
    parser.add_argument("--only", choices=PARTS, action="append", help="may be repeated")
    parser.add_argument("--seed", type=int, default=None, help="of the order")
    options = parser.parse_args()
    with site(options.iterations):
        order = random.Random(options.seed)
        found = [
            part(options.tries, order) for name, part in PARTS.items() if chosen(options, name)
        ]
    return max(found)


def chosen(options: argparse.Namespace, name: str) -> bool:
    return name in (options.only or PARTS)


@contextlib.contextmanager
def site(iterations: int | None) -> Iterator[None]:
    """The suite's own, with the hasher that a site gets which sets none."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    django.setup()
    from django.conf import global_settings
    from django.contrib.auth.hashers import PBKDF2PasswordHasher
    from django.core.management import call_command
    from django.test.utils import override_settings

    if iterations:
        PBKDF2PasswordHasher.iterations = iterations
    call_command("migrate", verbosity=0)
    with override_settings(PASSWORD_HASHERS=global_settings.PASSWORD_HASHERS):
        yield


def sign_ins(tries: int, order: random.Random) -> int:
    """A name that nobody has, a wrong password and an account that is suspended take
    as long (ASVS 5.0 V6.3.8)."""
    from django.contrib.auth import get_user_model

    names = {kind: f"{kind}-{secrets.token_hex(8)}" for kind in ("known", "inactive", "unusable")}
    model: Any = get_user_model()
    for kind, name in names.items():
        user = model(**{model.USERNAME_FIELD: name, "is_active": kind != "inactive"})
        user.set_password(None if kind == "unusable" else PASSWORD)
        user.save()

    def ask(name: str, password: str) -> Ask:
        return lambda: post("token/", {model.USERNAME_FIELD: name, "password": password})

    found = measured(
        {
            "wrong password": ask(names["known"], "wrong horse battery staple"),
            "unknown name": ask("nobody-of-that-name-was-here", PASSWORD),
            "inactive, right password": ask(names["inactive"], PASSWORD),
            "no usable password": ask(names["unusable"], PASSWORD),
        },
        tries,
        order,
    )
    print(text("refused sign-ins", found, "wanted: within 5 % of a wrong password"))
    first = found["wrong password"]
    ratios = [paired(taken, first) for taken in found.values()]
    return int(max(ratios) > (1 + LIMIT) * min(ratios))


def refreshes(tries: int, order: random.Random) -> int:
    """By design not alike: a forged token is refused before the database is asked, which tells
    its sender what they knew. What is authentic was ours once."""
    from uuid import uuid4

    from django.contrib.auth import get_user_model

    from jwt_revoke import api
    from jwt_revoke.codec import RefreshClaims, encode_refresh
    from jwt_revoke.keystore import refresh_key_ring

    model: Any = get_user_model()
    user = model(**{model.USERNAME_FIELD: f"owner-{secrets.token_hex(8)}"})
    user.set_password(PASSWORD)
    user.save()
    ended = api.sign_in(user, None)
    api.revoke_session(ended.session)
    forged = ended.refresh[:-4] + ("AAAA" if ended.refresh[-4:] != "AAAA" else "BBBB")
    gone = encode_refresh(RefreshClaims(uuid4(), 0), refresh_key_ring())

    def ask(token: str) -> Ask:
        return lambda: post("token/refresh/", {"refresh": token})

    found = measured(
        {
            "session ended": ask(ended.refresh),
            "session gone": ask(gone),
            "forged": ask(forged),
            "early byte of the MAC": ask(early_byte_changed(ended.refresh)),
            "junk": ask("junk"),
        },
        tries,
        order,
    )
    print(text("refused refreshes", found, "forged ones differ from authentic ones by design"))
    return 0


def early_byte_changed(token: str) -> str:
    """Its MAC, the last 32 of 57 bytes, is wrong from its beginning instead of at its end."""
    place = 36
    return token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]


PARTS: Final[Mapping[str, Callable[[int, random.Random], int]]] = {
    "sign-in": sign_ins,
    "refresh": refreshes,
}


def post(path: str, body: Mapping[str, str]) -> Any:
    from rest_framework.test import APIClient

    return APIClient().post(f"/api/auth/{path}", body)


def measured(kinds: Mapping[str, Ask], tries: int, order: random.Random) -> dict[str, list[Taken]]:
    """Milliseconds of each, all refused with the same 401: by the clock, and of the processor."""
    found: dict[str, list[Taken]] = defaultdict(list)
    for ask in kinds.values():
        for _ in range(SETTLING):
            status = ask().status_code
            assert status == 401, status
    gc.collect()
    gc.disable()
    for _ in range(tries):
        for kind in order.sample(sorted(kinds), len(kinds)):
            began, worked = time.perf_counter(), time.thread_time()
            kinds[kind]()
            ended = time.perf_counter()
            found[kind].append(Taken((ended - began) * 1000, (time.thread_time() - worked) * 1000))
    gc.enable()
    return {kind: found[kind] for kind in kinds}


def text(title: str, found: Mapping[str, list[Taken]], note: str) -> str:
    first = next(iter(found.values()))
    base = medians(first)
    rows = [
        [
            kind,
            *(
                cell
                for middle, of_base in zip(medians(taken), base, strict=True)
                for cell in (f"{middle:.2f}", f"{middle / of_base:.4f}")
            ),
            f"{paired(taken, first):.4f}",
            *(f"{percentile([one.clock for one in taken], part):.2f}" for part in (0.05, 0.95)),
        ]
        for kind, taken in found.items()
    ]
    tries = len(first)
    head = ("", "median ms", "ratio", "CPU ms", "ratio", "in pairs", "p5 ms", "p95 ms")
    return table(f"{title}, {tries} of each, interleaved", head, rows, note)


def paired(taken: list[Taken], base: list[Taken]) -> float:
    """Of each turn the ratio of its two tries, and the median of those: a processor that is now
    quick and now slow, for seconds on end, moves both."""
    return statistics.median(
        one.processor / other.processor for one, other in zip(taken, base, strict=True)
    )


def medians(taken: list[Taken]) -> Taken:
    return Taken(*map(statistics.median, zip(*taken, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
