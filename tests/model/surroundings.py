"""What happens around: time, clocks, keys, lost memories, pruning, a restored backup."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from unittest import mock
from uuid import uuid4

from django.db.models import F
from hypothesis import strategies as st
from hypothesis.stateful import precondition

from jwt_revoke import api, key_compromise, signing_keys
from jwt_revoke.backends.base import _forget_backends, get_backend
from jwt_revoke.codec import encode_access
from jwt_revoke.conf import conf
from jwt_revoke.key_sources import lead
from jwt_revoke.keys import Key, KeyRing
from jwt_revoke.keystore import forget_keys, key_ring
from jwt_revoke.log import Cause
from jwt_revoke.maintenance import prune
from jwt_revoke.models import DeviceSession, SigningKey, write_alias
from tests.attacks.forging import parts_of
from tests.model.clock import MOST_WRONG
from tests.model.world import (
    IDLE_STEP,
    NUMBERS,
    World,
    pick,
    step,
    verdict,
    with_stored_keys,
)
from tests.stored import elsewhere

DAY = 24 * 3600
MOST_KEYS = 6


class Surroundings(World):
    """Nothing of this is anybody's request, and nothing of it revives anything."""

    def __init__(self) -> None:
        super().__init__()
        self.stolen: list[Key] = []

    @step(seconds=st.sampled_from([1, 29, 31, 301]))
    def time_passes(self, seconds: int) -> None:
        self.clock.go_on(seconds)

    @step(seconds=st.sampled_from([421, 15 * DAY, 91 * DAY, 400 * DAY]))
    def a_long_time_passes(self, seconds: int) -> None:
        """Keys succeed each other; sittings are idle for too long, or too old; records may go."""
        self.clock.go_on(seconds)

    @step(seconds=st.sampled_from([-MOST_WRONG, 0, MOST_WRONG]))
    def clock_is_set(self, seconds: int) -> None:
        """Invariant 6. Back or forward, as by an operator, or NTP."""
        self.clock.wrong = timedelta(seconds=seconds)

    @step()
    def memory_is_lost(self) -> None:
        """Invariant 3. As in a process that has just begun."""
        forget_keys()
        _forget_backends(setting="JWT_REVOKE")

    @step(at_once=st.sampled_from([100, 2]))
    def clean_up(self, at_once: int) -> None:
        """``manage.py jwt_revoke prune``: it takes nothing that lives, nor what is needed."""
        prune(write_alias(), at_once, lambda *_: None)
        left = set(DeviceSession.objects.values_list("pk", flat=True))
        for sitting in self.model.sittings:
            assert sitting.key in left or sitting.is_over(self.now), "it lives, and was deleted"
            sitting.on_record = sitting.key in left

    @step(number=NUMBERS, everyone=st.booleans())
    def die_before_it_is_published(self, number: int, everyone: bool) -> Any:
        """Invariant 1. Its process is killed between the commit and what comes after; whoever
        follows the log finds it there."""
        account = pick(self.model.accounts, number)
        if account is None:
            return IDLE_STEP
        with mock.patch.object(get_backend(), "publish"):
            if everyone:
                api.revoke_everyone()
            else:
                api.revoke_user(account.key)
        if everyone:
            self.model.apply("session", self.model.sittings)
        else:
            self.model.revoke(account, "session")
        self.until_found()
        return None

    def until_found(self) -> None:
        """The time after which whatever was not published must have been found."""

    # keys

    def until_heard(self) -> None:
        """The time after which every process knows of a mark on a key: none."""

    @with_stored_keys
    @step(at_once=st.booleans())
    def rotate_keys(self, at_once: bool) -> Any:
        """No token dies of it."""
        if SigningKey.objects.count() >= MOST_KEYS:
            return IDLE_STEP
        if at_once:
            # One that waited for so long that everybody has it.
            waiting = SigningKey.objects.filter(pk=signing_keys.create(write_alias()).kid)
            waiting.update(created_at=F("created_at") - timedelta(seconds=lead()))
        return signing_keys.rotate(write_alias())

    @with_stored_keys
    @step(number=NUMBERS)
    def retire_a_key(self, number: int) -> Any:
        """Before its time, and in another process: once this one has read the keys again, what it
        signed opens nothing."""
        former = SigningKey.objects.filter(
            compromised_at=None, signs_until__lte=self.now, verifies_until__gt=self.now
        )
        kid = pick(list(former.order_by("created_at").values_list("kid", flat=True)), number)
        if kid is None:
            return IDLE_STEP
        with elsewhere():
            signing_keys.retire(write_alias(), kid, force=True)
        self.clock.go_on(conf.KEY_REFRESH_INTERVAL.total_seconds() + 1)
        return self.model.dead_keys.add(kid)

    @with_stored_keys
    @step(number=NUMBERS, effect=st.sampled_from(["access", "session"]))
    def a_key_leaks(self, number: int, effect: str) -> Any:
        """Invariant 1. It is marked in another process: this one hears of it at once."""
        if SigningKey.objects.count() >= MOST_KEYS:
            return IDLE_STEP
        key = pick(list(key_ring().keys), number)
        if key is None:
            return IDLE_STEP
        with elsewhere():
            key_compromise.compromise(write_alias(), key.kid, Cause("key_compromised"), effect)
        self.until_heard()
        self.stolen.append(key)
        self.model.dead_keys.add(key.kid)
        return self.model.apply(effect, self.model.sittings)

    @precondition(lambda self: self.stolen)
    @step(number=NUMBERS, which=NUMBERS)
    def a_thief_signs(self, number: int, which: int) -> None:
        """With a key that is known to have leaked, whatever is true of a sitting by now."""
        sitting, key = self.sitting(number), self.stolen[which % len(self.stolen)]
        _header, claims = parts_of(sitting.tokens[-1].text)
        now = int(time.time())
        claims |= {"iat": now, "exp": now + 60, "jti": str(uuid4())}
        forged = encode_access(claims, KeyRing((key,)))
        assert verdict(forged, self.check) != "live", "a key that leaked opens"
