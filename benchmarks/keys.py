"""What a signature costs by its algorithm, and what a busy process sees of a rotation.

A busy process answers checks one after the other; the keys are in the database, and somebody else
rotates them. Only ``verified_claims`` is timed: the signature and the keys, without the backend.
"""

from __future__ import annotations

import itertools
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Final

import jwt
from cryptography.fernet import Fernet
from django.db import connection
from django.db.models import F
from django.test.utils import override_settings

from benchmarks.figures import percentile, spread, table
from benchmarks.floors import payload
from benchmarks.plan import Disturbed, Plan
from benchmarks.timing import Call, timed
from jwt_revoke import keystore
from jwt_revoke.codec import encode_access
from jwt_revoke.key_sources import lead, overlap
from jwt_revoke.keys import ASYMMETRIC, SYMMETRIC, make_material
from jwt_revoke.keystore import key_ring
from jwt_revoke.models import SigningKey
from jwt_revoke.signing_keys import rotate
from jwt_revoke.verification import verified_claims

ALGORITHMS: Final = (*SYMMETRIC, *ASYMMETRIC)
CASES: Final = ("seen", "first sight", "PyJWT decode", "signing")
ROTATED: Final = ("HS256", "ES256", "RS256")
_KEPT: Final = ("not_before", "signs_until", "verifies_until", "created_at")
_INTERVAL: Final = 1.0


def run(plan: Plan) -> tuple[str, Any]:
    """Both tables, and all numbers."""
    signatures, of_signatures = _signatures(plan)
    rotations, of_rotations = _rotations(plan)
    found = {"signatures_us": of_signatures, "rotations": of_rotations}
    return f"{signatures}\n\n{rotations}", found


def _signatures(plan: Plan) -> tuple[str, Any]:
    times: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    materials = {algorithm: make_material(algorithm) for algorithm in ALGORITHMS}
    rounds = plan.rounds or plan.check_rounds
    for _ in range(rounds):
        turns = [partial(_of_algorithm, plan, name, materials[name]) for name in ALGORITHMS]
        plan.random.shuffle(turns)
        for turn in turns:
            algorithm, medians = plan.quiet.alone(turn)
            for case, median in medians.items():
                times[algorithm][case].append(median)
    rows = [[name, *(spread(times[name][case]) for case in CASES)] for name in ALGORITHMS]
    title = f"verifying an access token, p50 µs: median of {rounds} rounds (lowest–highest)"
    notes = (
        "seen: its signature was verified in this process before (VERIFIED_CACHE_SIZE).",
        "first sight: all that is compared beside the signature, included.",
        "PyJWT decode: the same token by PyJWT as its documentation calls it. RSA: 3072 bits.",
    )
    return table(title, ["", *CASES], rows, *notes), times


def _of_algorithm(plan: Plan, algorithm: str, material: str) -> tuple[str, dict[str, float]]:
    settings = {"ALGORITHM": algorithm, "SIGNING_KEYS": [material]}
    with override_settings(JWT_REVOKE=settings):
        key = key_ring().signing
        one = _token()
        calls: dict[str, tuple[Call, Any]] = {
            "seen": (verified_claims, itertools.repeat(one)),
            "first sight": (verified_claims, [_token() for _ in range(plan.first_sights // 3)]),
            "PyJWT decode": (
                lambda raw: jwt.decode(raw, key.verifies, algorithms=[algorithm]),
                itertools.repeat(one),
            ),
            "signing": (lambda _: _token(), itertools.repeat(None)),
        }
        verified_claims(one)
        medians = {}
        for case, (call, arguments) in plan.random.sample(list(calls.items()), len(calls)):
            taken = timed(call, arguments, plan.check_seconds / 3)
            medians[case] = percentile(taken, 0.5) / 1000
    return algorithm, medians


def _rotations(plan: Plan) -> tuple[str, Any]:
    found: dict[str, list[dict[str, float]]] = defaultdict(list)
    rounds = plan.rounds or plan.rotation_rounds
    for _ in range(rounds):
        for algorithm in plan.random.sample(ROTATED, len(ROTATED)):
            found[algorithm].append(plan.quiet.alone(partial(_rotation, plan, algorithm)))
    columns = list(found[ROTATED[0]][0])
    rows = [
        [name, *(spread([one[column] for one in found[name]]) for column in columns)]
        for name in ROTATED
    ]
    title = (
        f"a rotation, seen by a process that verifies {plan.rotation_tokens} tokens in turn: "
        f"median of {rounds} rounds (lowest–highest)"
    )
    notes = (
        "The ring changes three times: published, signing, retired; each time what was verified",
        "is verified anew. extra: what all checks took longer than as many before, in sum. None of",
        "these checks was refused: one that is ends the measurement.",
    )
    return table(title, ["", *columns], rows, *notes), found


def _rotation(plan: Plan, algorithm: str) -> dict[str, float]:
    with _stored_keys(algorithm):
        tokens = [_token() for _ in range(plan.rotation_tokens)]
        for token in tokens:
            verified_claims(token)
        before = _busy(tokens, plan.rotation_seconds)
        seen: list[float] = []
        for step in (rotate_elsewhere, partial(pass_time, lead() + 1), _signed_anew(tokens)):
            step()
            seen += _busy(tokens, plan.rotation_seconds + _INTERVAL)
        pass_time(overlap())
        seen += _busy(tokens, plan.rotation_seconds + _INTERVAL)
        if key_ring().signing.algorithm != algorithm or len(key_ring().keys) != 1:
            raise Disturbed("the rotation was not seen")
    return {
        "p50 µs before": statistics.median(before) / 1000,
        "during": statistics.median(seen) / 1000,
        "longest ms": max(seen) / 1e6,
        "extra ms": (sum(seen) - len(seen) * statistics.fmean(before)) / 1e6,
        "checks": float(len(seen)),
    }


def rotate_elsewhere() -> None:
    """By another process: this one keeps the copy that it has."""
    copy = keystore._keys  # noqa: SLF001  (what a process knows has no other name)
    rotate("default")
    keystore._keys = copy  # noqa: SLF001  (as above)


def pass_time(seconds: float) -> None:
    """For the stored keys; this process reads them again when it would."""
    passed = timedelta(seconds=seconds)
    SigningKey.objects.update(**{name: F(name) - passed for name in _KEPT})


def _signed_anew(tokens: list[str]) -> Callable[[], None]:
    def sign() -> None:
        tokens[:] = [_token() for _ in tokens]

    return sign


def _busy(tokens: list[str], seconds: float) -> list[float]:
    """Nanoseconds of each check; one that is refused raises."""
    return timed(verified_claims, itertools.cycle(tokens), seconds)


@contextmanager
def _stored_keys(algorithm: str) -> Iterator[None]:
    settings = {
        "KEY_STORE": "database",
        "ALGORITHM": algorithm,
        "KEY_ENCRYPTION_KEYS": [Fernet.generate_key().decode()],
        "KEY_REFRESH_INTERVAL": timedelta(seconds=_INTERVAL),
    }
    try:
        with override_settings(JWT_REVOKE=settings):
            rotate("default")
            pass_time(lead() + overlap() + 1)
            keystore.forget_keys()
            yield
    finally:
        SigningKey.objects.all().delete()
        connection.close()


def _token() -> str:
    return encode_access(payload(), key_ring())
