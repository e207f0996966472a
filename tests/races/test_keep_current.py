"""Keeping this device while something else revokes it: no new session outlives that."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, connections, transaction

from jwt_revoke import api, sessions
from jwt_revoke.codec import decode_access
from jwt_revoke.keystore import key_ring
from jwt_revoke.log import Cause
from jwt_revoke.testing import Device
from tests.races.together import is_busy, together

ROUNDS = 8

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("what", ["user", "session"])
def test_a_revocation_that_commits_after_the_token_was_let_in_is_not_survived(
    user: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Invariant 1: somebody else's transaction has revoked, and commits while we wait for it."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer: nobody else can be under way")
    thief = Device(user, "thief")
    revoke: dict[str, Callable[[], Any]] = {
        "user": lambda: api.revoke_user(user, reason="fraud"),
        "session": lambda: api.revoke_session(thief.session_id),
    }
    answers, let_in = [], threading.Event()
    lock = sessions._lock

    def announce(*args: Any) -> None:
        let_in.set()
        lock(*args)

    monkeypatch.setattr(sessions, "_lock", announce)

    def keep() -> None:
        try:
            answers.append(thief.post("/api/auth/logout/all/", {"keep_current": True}))
        finally:
            connections.close_all()

    with transaction.atomic():
        revoke[what]()
        thread = threading.Thread(target=keep)
        thread.start()
        assert let_in.wait(10)
    thread.join(20)
    (answer,) = answers
    assert answer.status_code in {401, 503}
    assert thief.standing == "revoked"


@pytest.mark.parametrize("how", ["sign in", "keep this device"])
def test_an_unseen_change_settled_meanwhile_is_no_deadlock(
    user: Any, settings: Any, how: str
) -> None:
    """The user is locked before the state, as by every save."""
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "MAX_SESSIONS_PER_USER": 5}
    model = get_user_model()

    def save() -> None:
        with transaction.atomic():
            found = model.objects.get(pk=user.pk)
            found.is_superuser = not found.is_superuser
            found.save()

    for _ in range(ROUNDS):
        phone = Device(model.objects.get(pk=user.pk))
        claims = decode_access(phone.access, key_ring())
        model.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=False)
        actions: dict[str, Callable[[], Any]] = {
            "sign in": lambda: api.sign_in(user),
            "keep this device": partial(
                sessions.replace_session, user, claims, None, Cause("logout_all")
            ),
        }
        _, saved = together(actions[how], save)
        assert saved is None or is_busy(saved)
        model.objects.filter(pk=user.pk).update(is_staff=False)
