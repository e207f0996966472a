"""The revocation log: what an entry holds, and when it is announced."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.utils import timezone

from jwt_revoke import api, log, signals
from jwt_revoke.actor import set_actor
from jwt_revoke.log import Cause
from jwt_revoke.models import Revocation
from jwt_revoke.testing import Device
from tests.conftest import make_user

pytestmark = pytest.mark.database


def append(**fields: Any) -> Revocation:
    fields = {"scope": "user", "subject": "7", "effect": "session", **fields}
    return log.append("default", Cause("test", "9", "why"), **fields)


def test_an_entry_says_who_did_what_to_whom_and_why(db: None) -> None:
    entry = append(version=5)
    entry.refresh_from_db()
    assert (entry.scope, entry.subject, entry.effect) == ("user", "7", "session")
    assert (entry.reason, entry.actor, entry.note) == ("test", "9", "why")
    assert (entry.version, entry.sequence, entry.batch) == (5, None, None)


def test_an_entry_is_in_force_as_long_as_a_token_could_live(db: None, settings: Any) -> None:
    lifetimes = {"ACCESS_TOKEN_LIFETIME": timedelta(minutes=9), "LEEWAY": timedelta(seconds=7)}
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, **lifetimes}
    entry = append()
    assert entry.expires_at - entry.created_at == timedelta(minutes=9, seconds=7)


def test_an_entry_may_be_in_force_as_long_as_one_token(db: None) -> None:
    until = timezone.now() + timedelta(hours=3)
    assert append(expires_at=until).expires_at == until


def test_reasons_actors_and_notes_are_cut_to_what_the_columns_hold() -> None:
    cause = Cause.of("r" * 50, "a" * 300, "n" * 300)
    assert (len(cause.reason), len(cause.actor), len(cause.note)) == (40, 255, 255)


def test_an_actor_may_be_a_user_or_a_key(user: Any) -> None:
    assert Cause.of("test", user).actor == Cause.of("test", user.pk).actor == str(user.pk)


def test_without_an_actor_it_is_whoever_the_request_is_from(user: Any) -> None:
    set_actor(user)
    try:
        assert Cause.of("test").actor == str(user.pk)
    finally:
        set_actor(None)
    assert Cause.of("test").actor == ""


def test_each_row_of_a_batch_has_a_random_uuid_of_its_own(db: None) -> None:
    for number in range(5):
        make_user(f"user{number}")
    api.revoke_users(get_user_model().objects.all())
    uids = set(Revocation.objects.values_list("uid", flat=True))
    assert len(uids) == 5
    assert all(isinstance(uid, UUID) for uid in uids)
    if connection.vendor == "mysql":
        assert {uid.version for uid in uids} == {4}


def test_a_user_begins_above_a_former_one_of_that_key(user: Any) -> None:
    key = user.pk
    version = api.revoke_user(user)
    user.delete()
    ahead = version + 3_600_000
    Revocation.objects.update(version=ahead)
    assert log.first_version("default", key) == ahead + 1


def test_a_key_without_entries_begins_at_the_clock(db: None) -> None:
    assert abs(log.first_version("default", 12345) - log.now_ms()) < 10_000


@pytest.mark.django_db(transaction=True)
def test_a_revocation_is_announced_once_it_is_committed(user: Any) -> None:
    """Invariant 2: nobody hears of what may still be undone."""
    heard: list[str] = []

    def listen(reason: str, **_kwargs: Any) -> None:
        heard.append(reason)

    signals.revoked.connect(listen)
    try:
        with transaction.atomic():
            api.revoke_user(user, reason="inside")
            assert heard == []
        assert heard == ["inside"]
        with transaction.atomic():
            api.revoke_user(user, reason="undone")
            transaction.set_rollback(True)
        assert heard == ["inside"]
    finally:
        signals.revoked.disconnect(listen)


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_fails_does_not_look_like_a_failed_revocation(
    user: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Invariant 2: it has been committed; the receiver's fault goes to the log."""

    def fail(**_kwargs: Any) -> None:
        raise RuntimeError("a receiver of the site's")

    signals.revoked.connect(fail)
    try:
        assert api.revoke_user(user)
    finally:
        signals.revoked.disconnect(fail)
    assert "a receiver of the site's" in caplog.text


def test_announcing_names_the_call_and_no_secret(
    phone: Device, revocations: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    """Invariant 9."""
    from jwt_revoke.testing import collect_revocations

    with caplog.at_level(logging.INFO, "jwt_revoke"), collect_revocations() as heard:
        api.end_session(phone.session_id, reason="logout", actor="9")
    (said,) = [{name: value for name, value in heard[0].items() if name != "sender"}]
    assert said["subject"] == str(phone.session_id)
    assert (said["scope"], said["effect"], said["reason"]) == ("session", "session", "logout")
    assert (said["actor"], said["batch"], said["count"]) == ("9", None, 1)
    assert "reason=logout" in caplog.text
    assert phone.refresh_token not in caplog.text
    assert phone.access not in caplog.text


def test_a_batch_is_written_by_one_statement(db: None, django_assert_num_queries: Any) -> None:
    """Invariant 8."""
    for number in range(3):
        make_user(f"user{number}")
    users = get_user_model().objects.all()
    with django_assert_num_queries(1):
        count = log.append_each(
            *("default", Cause("test"), users),
            scope="user",
            effect="access",
            version=4,
            batch=uuid4(),
        )
    assert count == 3
    subjects = set(Revocation.objects.values_list("subject", flat=True))
    assert subjects == {str(key) for key in users.values_list("pk", flat=True)}
