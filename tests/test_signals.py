from __future__ import annotations

from contextlib import ExitStack, contextmanager

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from jwt_revoke import api, signals
from jwt_revoke.exceptions import RefreshReused, TokenRevoked
from jwt_revoke.models import Revocation
from jwt_revoke.testing import Device
from tests.conftest import make_user

pytestmark = pytest.mark.django_db(transaction=True)


NAMES = ("revoked", "signed_in", "refresh_repeated", "refresh_reused")


@contextmanager
def receiving(name, receive):
    signal = getattr(signals, name)
    signal.connect(receive, weak=False)
    try:
        yield
    finally:
        signal.disconnect(receive)


@pytest.fixture
def heard():
    """The arguments of every signal sent, under its name."""
    seen = []

    def listen(name):
        def receive(*, signal, **arguments):
            seen.append((name, arguments))

        return receive

    with ExitStack() as stack:
        for name in NAMES:
            stack.enter_context(receiving(name, listen(name)))
        yield seen


@pytest.fixture
def raising():
    """A receiver of every signal that fails."""

    def receive(**_arguments):
        raise RuntimeError("a receiver's own fault")

    with ExitStack() as stack:
        for name in NAMES:
            stack.enter_context(receiving(name, receive))
        yield


def arguments(heard, name="revoked"):
    return [given for heard_name, given in heard if heard_name == name]


def test_revoked_says_what_why_and_by_whom(user, heard):
    api.revoke_user(user, reason="lost", actor="7")
    assert arguments(heard) == [
        {
            "sender": Revocation,
            "scope": "user",
            "subject": str(user.pk),
            "effect": "session",
            "reason": "lost",
            "actor": "7",
            "batch": None,
            "count": 1,
        }
    ]


def test_revoked_is_sent_after_the_commit(user, heard):
    with transaction.atomic():
        api.revoke_user(user)
        assert arguments(heard) == []
    assert len(arguments(heard)) == 1


def test_revoked_is_not_sent_after_a_rollback(user, heard):
    """Invariant 2: nothing was revoked anywhere."""
    phone = Device(user)
    with transaction.atomic():
        api.revoke_user(user)
        transaction.set_rollback(True)
    assert arguments(heard) == []
    assert Revocation.objects.count() == 0
    assert phone.standing == "live"


def test_receiver_sees_what_was_committed(user):
    seen = []

    def receive(**_arguments):
        seen.append(phone.standing)

    phone = Device(user)
    with receiving("revoked", receive):
        api.revoke_user(user)
    assert seen == ["revoked"]


@pytest.mark.parametrize(
    "revoke",
    [
        pytest.param(lambda phone: api.revoke_token(phone.access), id="token"),
        pytest.param(lambda phone: api.revoke_session(phone.session_id), id="session"),
        pytest.param(lambda phone: api.end_session(phone.session_id), id="end"),
        pytest.param(lambda phone: api.revoke_everyone(), id="everyone"),
    ],
)
def test_one_signal_a_call(user, heard, revoke):
    revoke(Device(user))
    assert len(arguments(heard)) == 1


def test_bulk_call_sends_one_signal_with_its_batch_and_count(heard):
    for name in ("alice", "bob", "carol"):
        Device(make_user(name))
    api.revoke_users(get_user_model()._default_manager.all(), reason="breach")
    (said,) = arguments(heard)
    assert (said["scope"], said["subject"], said["count"]) == ("user", "", 3)
    assert set(Revocation.objects.values_list("batch", flat=True)) == {said["batch"]}


def test_before_sends_one_signal_for_the_user_and_their_sessions(user, heard):

    Device(user)
    api.revoke_user(user, before=timezone.now())
    assert len(arguments(heard)) == 1


@pytest.mark.parametrize("ended_already", ["session", "token"])
def test_what_was_revoked_already_sends_nothing(user, heard, ended_already):
    phone = Device(user)
    call, subject = {
        "session": (api.revoke_session, phone.session_id),
        "token": (api.revoke_token, phone.access),
    }[ended_already]
    assert call(subject) is True
    assert call(subject) is False
    assert len(arguments(heard)) == 1


def test_bulk_call_that_covers_nobody_sends_nothing(heard, db):
    assert api.revoke_users(get_user_model()._default_manager.none()) == 0
    assert arguments(heard) == []


def test_raising_receiver_harms_nobody(user, raising, heard):
    phone = Device(user)
    phone.refresh_tokens()
    api.revoke_user(user)
    assert phone.standing == "revoked"
    assert [name for name, _ in heard] == ["signed_in", "revoked"]


def test_raising_receiver_does_not_fail_the_request(phone, raising):
    assert phone.post("/api/auth/logout/").status_code == 204


def test_raising_receiver_does_not_undo_the_callers_transaction(user, raising):
    with transaction.atomic():
        api.revoke_user(user)
        make_user("bob")
    assert get_user_model()._default_manager.count() == 2


def test_signed_in_gives_user_session_and_request(user, heard, rf):
    request = rf.get("/")
    tokens = api.sign_in(user, request, device="phone")
    (said,) = arguments(heard, "signed_in")
    assert said["user"] == user
    assert (said["session"].pk, said["session"].name) == (tokens.session, "phone")
    assert said["request"] is request


def test_signed_in_is_not_sent_after_a_rollback(user, heard):
    with transaction.atomic():
        api.sign_in(user)
        transaction.set_rollback(True)
    assert heard == []


def test_refresh_repeated_tells_of_the_second_tab(phone, heard):
    first = phone.refresh_token
    phone.refresh_tokens()
    api.refresh(first, phone._request())
    (said,) = arguments(heard, "refresh_repeated")
    assert said["session_id"] == phone.session_id


def test_refresh_reused_tells_of_the_theft_once(phone, heard):
    first = phone.refresh_token
    phone.refresh_tokens()
    phone.refresh_tokens()
    for _ in range(2):
        with pytest.raises(TokenRevoked):
            api.refresh(first, phone._request())
    (said,) = arguments(heard, "refresh_reused")
    assert said["session_id"] == phone.session_id
    assert [given["reason"] for given in arguments(heard)] == ["refresh_reused"]


def test_reuse_within_a_transaction_that_commits_is_told_after_it(phone, heard):
    first = phone.refresh_token
    phone.refresh_tokens()
    phone.refresh_tokens()
    with transaction.atomic():
        with pytest.raises(RefreshReused):
            api.refresh(first, phone._request())
        assert arguments(heard, "refresh_reused") == []
    assert len(arguments(heard, "refresh_reused")) == 1
    assert phone.standing == "revoked"
