"""Numbers of log entries: one counter, no gaps, in the order of becoming visible."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import api, log, numbering
from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.log import Cause
from jwt_revoke.models import LogCounter, Revocation
from jwt_revoke.numbering import number
from tests.conftest import make_user

pytestmark = [pytest.mark.database, pytest.mark.django_db]


class Numbered(DatabaseBackend):
    """The least that needs numbers."""

    needs_sequence = True


class DiesOnce(Numbered):
    """Its process is killed after the commit, before it has numbered anything."""

    dies = True

    def publish(self, using):
        if self.dies:
            self.dies = False
            raise RuntimeError("killed")
        super().publish(using)


def configure(settings, backend):
    path = f"{__name__}.{backend.__name__}"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}


def append(count=1, **fields):
    fields = {"scope": "user", "subject": "7", "effect": "session", **fields}
    return [log.append("default", Cause("test"), **fields).pk for _ in range(count)]


def sequences():
    """Of all entries, in the order they were written."""
    return list(Revocation.objects.order_by("pk").values_list("sequence", flat=True))


def counter():
    return LogCounter.objects.get().value


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(numbering, "_PAGE", 3)


def test_entries_are_numbered_without_gaps_in_their_order():
    append(5)
    assert number("default") == 5
    assert sequences() == [1, 2, 3, 4, 5]
    assert counter() == 5


def test_numbering_goes_on_where_it_was():
    append(2)
    number("default")
    append(3)
    assert number("default") == 3
    assert sequences() == [1, 2, 3, 4, 5]


def test_numbering_again_changes_nothing():
    append(3)
    number("default")
    assert number("default") == 0
    assert (sequences(), counter()) == ([1, 2, 3], 3)


def test_an_empty_log_needs_no_counter(django_assert_num_queries):
    with django_assert_num_queries(1):
        assert number("default") == 0
    assert not LogCounter.objects.exists()


def test_many_entries_cost_as_many_statements_as_few(django_assert_num_queries):
    """Invariant 8."""
    append()
    number("default")
    costs = []
    for count in (2, 40):
        append(count)
        with CaptureQueriesContext(transaction.get_connection()) as captured:
            number("default")
        costs.append(len(captured))
    assert costs[0] == costs[1]


def test_what_is_rolled_back_leaves_no_gap():
    append()
    with transaction.atomic():
        append(2)
        number("default")
        transaction.set_rollback(True)
    append()
    number("default")
    assert (sequences(), counter()) == ([1, 2], 2)


@pytest.mark.django_db(transaction=True)
def test_numbering_that_breaks_off_leaves_no_trace(monkeypatch):
    """Neither numbers that the counter does not know of, nor the other way round."""
    append(2)
    real = QuerySet.update

    def fail(self, **values):
        if self.model is LogCounter:
            raise DatabaseError("broken off")
        return real(self, **values)

    with monkeypatch.context() as patch:
        patch.setattr(QuerySet, "update", fail)
        with pytest.raises(DatabaseError):
            number("default")
    assert sequences() == [None, None]
    number("default")
    assert (sequences(), counter()) == ([1, 2], 2)


def test_a_long_backlog_is_numbered_to_its_end(small_pages):
    append(10)
    assert number("default") == 10
    assert (sequences(), counter()) == ([*range(1, 11)], 10)


def test_of_a_long_backlog_what_is_long_out_of_force_is_set_aside(small_pages):
    """A site that had no need of numbers until now: its audit log is nobody's feed."""
    append(80, expires_at=timezone.now() - timedelta(days=2))
    append(4)
    number("default")
    assert sequences() == [1, 2, 3, *[0] * 77, 4, 5, 6, 7]
    assert counter() == 7


def test_of_a_long_backlog_what_expired_of_late_is_numbered(small_pages):
    """Clocks may differ: by some of them it may still be in force."""
    append(5, expires_at=timezone.now() - timedelta(hours=23))
    number("default")
    assert sequences() == [1, 2, 3, 4, 5]


def test_a_short_backlog_is_numbered_whatever_its_age():
    append(2, expires_at=timezone.now() - timedelta(days=300))
    number("default")
    assert sequences() == [1, 2]


@pytest.mark.parametrize("backend", [DatabaseBackend, Numbered])
def test_only_the_first_of_a_batch_waits_for_a_number_where_any_is_needed(settings, backend):
    """A bulk of 100,000 must not make the log-out behind it wait for 100,000 numbers."""
    if backend is Numbered:
        configure(settings, Numbered)
    for name in ("alice", "bob", "carol"):
        make_user(name)
    api.revoke_users(get_user_model().objects.all())
    numbered = backend.needs_sequence
    assert sequences() == ([None, 0, 0] if numbered else [None, None, None])
    assert number("default") == (1 if numbered else 3)
    assert sequences() == ([1, 0, 0] if numbered else [1, 2, 3])


@pytest.mark.django_db(transaction=True)
def test_without_a_backend_that_needs_numbers_none_is_given():
    api.revoke_user(make_user())
    assert sequences() == [None]
    assert not LogCounter.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_entry_has_its_number_when_the_call_returns(settings):
    configure(settings, Numbered)
    api.revoke_user(make_user())
    assert sequences() == [1]


@pytest.mark.django_db(transaction=True)
def test_what_a_killed_process_left_is_numbered_by_the_next(settings, caplog):
    configure(settings, DiesOnce)
    user = make_user()
    api.revoke_user(user)
    assert sequences() == [None]
    assert "Committed, and not published" in caplog.text
    api.revoke_user(user)
    assert sequences() == [1, 2]
