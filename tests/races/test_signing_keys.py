"""Keys change while everybody signs and verifies with them."""

from __future__ import annotations

import threading
from contextlib import suppress
from datetime import timedelta
from functools import partial
from uuid import uuid4

import jwt
import pytest
from django.db import OperationalError, connection, connections, transaction
from rest_framework.test import APIClient

from jwt_revoke import api, key_compromise, keystore, signing_keys
from jwt_revoke.codec import encode_access
from jwt_revoke.database import persistently
from jwt_revoke.keystore import key_ring
from jwt_revoke.log import Cause
from jwt_revoke.models import Revocation, SigningKey
from jwt_revoke.testing import Device
from jwt_revoke.verification import verified_claims
from tests.backends.replica.following import until
from tests.races.together import is_busy, together
from tests.stored import after, signer

THREADS = 8
LEAK = Cause("key_compromised")

pytestmark = [
    pytest.mark.races,
    pytest.mark.database,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stored_keys"),
]


def rotate():
    return persistently("default", signing_keys.rotate, "default")


def compromise(kid):
    return persistently("default", key_compromise.compromise, "default", kid, LEAK)


def kid_of(token):
    return jwt.get_unverified_header(token)["kid"]


def test_not_one_error_while_keys_rotate_under_eight_threads(user, stored_keys, monkeypatch):
    """s34. In real time: the terms are short, and longer than the interval as they always are."""
    second = timedelta(seconds=1)
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_REFRESH_INTERVAL": second}
    monkeypatch.setattr(signing_keys, "lead", lambda: 1.2)
    monkeypatch.setattr(signing_keys, "overlap", lambda: 1.2)
    payload = verified_claims(Device(user).access).payload
    answers, signers, over = [], set(), threading.Event()

    def sign_and_verify():
        client = APIClient()
        try:
            while not over.is_set():
                token = encode_access({**payload, "jti": str(uuid4())}, key_ring())
                signers.add(kid_of(token))
                bearer = f"Bearer {token}"
                answers.append(client.get("/api/ping/", HTTP_AUTHORIZATION=bearer).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=sign_and_verify) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        kids = []
        for _ in range(3):
            kids.append(rotate().key.kid)
            until(lambda: kids[-1] in signers)
        until(lambda: key_ring().find(kids[-2]) is None)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {200}
    assert len(answers) > 100
    assert len(signers) == 4


def test_cron_on_many_machines_makes_one_key():
    answers = together(*[rotate] * 6)
    done = [answer for answer in answers if not is_busy(answer)]
    assert sum(rotation.begun for rotation in done) == 1
    assert len({rotation.key.kid for rotation in done}) == 1
    assert SigningKey.objects.count() == 1


def test_a_key_is_marked_once_however_many_mark_it():
    rotate()
    after(days=1)
    lost = signer()
    answers = together(*[partial(compromise, lost.kid)] * 4)
    assert [answer for answer in answers if not is_busy(answer)].count(True) == 1
    assert Revocation.objects.count() == 1
    assert SigningKey.objects.count() == 2


def test_a_compromise_and_a_rotation_at_once_leave_one_key_that_signs():
    rotate()
    after(days=1)
    lost = signer()
    answers = together(partial(compromise, lost.kid), rotate)
    if is_busy(answers[0]):
        compromise(lost.kid)
    keystore.forget_keys()
    assert key_ring().find(lost.kid) is None
    assert key_ring().signing.kid != lost.kid
    after(days=1)
    assert len(key_ring().keys) == 1


@pytest.mark.parametrize("change", ["retire", "rotate"])
def test_a_transaction_that_began_before_does_not_undo_a_mark(user, change):
    """Invariant 6: under REPEATABLE READ its snapshot shows the key as it was."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer: nobody else can commit meanwhile")
    lost = signing_keys.create("default")
    with transaction.atomic():
        SigningKey.objects.count()
        together(partial(compromise, lost.kid))
        with suppress(signing_keys.KeyRefused, OperationalError):
            if change == "retire":
                signing_keys.retire("default", lost.kid)
            else:
                assert signing_keys.rotate("default").key != lost
    marked = SigningKey.objects.get(kid=lost.kid)
    assert marked.compromised_at
    assert marked.private == ""


@pytest.mark.parametrize("store", ["database", "settings"])
def test_no_token_of_a_compromised_key_outlives_a_refresh_beside_it(user, stored_keys, store):
    """Invariant 1: whoever read the ring before it has signed with what is dead by then."""
    if store == "settings":
        new = {"algorithm": "HS256", "key": "a-new-key-of-more-than-thirty-two-bytes"}
        keys = [*stored_keys.JWT_REVOKE["SIGNING_KEYS"], new]
        changed = {**stored_keys.JWT_REVOKE, "KEY_STORE": store, "SIGNING_KEYS": keys}
        stored_keys.JWT_REVOKE = changed
    phones = [Device(user) for _ in range(4)]
    lost = key_ring().signing
    refreshes = [partial(api.refresh, phone.refresh_token) for phone in phones]
    answers = together(partial(compromise, lost.kid), *refreshes)
    if is_busy(answers[0]):
        assert connection.vendor != "postgresql"
        compromise(lost.kid)
    for answer in answers[1:]:
        if is_busy(answer):
            continue
        bearer = f"Bearer {answer.access}"
        status = APIClient().get("/api/ping/", HTTP_AUTHORIZATION=bearer).status_code
        assert (status == 200) is (kid_of(answer.access) != lost.kid and _is_current(answer))


def _is_current(answer):
    generation = Revocation.objects.get().version
    return jwt.decode(answer.access, options={"verify_signature": False})["gen"] == generation
