"""Numbering the log by many at the same moment: each entry once, and no gap."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from jwt_revoke import log, numbering
from jwt_revoke.log import Cause
from jwt_revoke.models import LogCounter, Revocation
from jwt_revoke.numbering import number
from tests.races.together import PATIENCE, ROOT, SETTINGS, _address, is_busy, together

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]

several_writers = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite has one writer at a time"
)


def append(count=1, **fields):
    fields = {"scope": "user", "subject": "7", "effect": "session", **fields}
    for _ in range(count):
        log.append("default", Cause("test"), **fields)


def numbers():
    """All that were given, in ascending order."""
    given = Revocation.objects.filter(sequence__gt=0).order_by("sequence")
    return list(given.values_list("sequence", flat=True))


def assert_gap_free():
    assert numbers() == [*range(1, LogCounter.objects.get().value + 1)]


def append_and_number():
    for _ in range(5):
        append()
        number("default")


def test_entries_of_many_threads_are_each_numbered_once():
    answers = together(*[append_and_number] * 8)
    assert [answer for answer in answers if answer is not None and not is_busy(answer)] == []
    number("default")
    assert not Revocation.objects.filter(sequence=None).exists()
    assert_gap_free()


def test_a_backlog_that_many_threads_number_at_once_is_numbered_once(monkeypatch):
    monkeypatch.setattr(numbering, "_PAGE", 7)
    append(60)
    answers = together(*[lambda: number("default")] * 6)
    counts = [answer for answer in answers if not is_busy(answer)]
    assert all(isinstance(count, int) for count in counts)
    number("default")
    assert numbers() == [*range(1, 61)]
    assert_gap_free()


def test_what_one_numbers_another_does_not_set_aside(monkeypatch):
    """Two processes that find the same old backlog: a number taken back would be a gap."""
    monkeypatch.setattr(numbering, "_PAGE", 2)
    append(120, expires_at=timezone.now() - timedelta(days=2))
    answers = together(*[lambda: number("default")] * 6)
    assert all(isinstance(answer, int) or is_busy(answer) for answer in answers)
    number("default")
    assert not Revocation.objects.filter(sequence=None).exists()
    assert_gap_free()


PROCESS = """
import sys, django
django.setup()
from tests.races.test_numbering import append_and_number
print("up", flush=True)
sys.stdin.readline()
append_and_number()
"""


@several_writers
def test_entries_of_many_processes_are_each_numbered_once():
    environment = {**os.environ, "DATABASE_URL": _address(), "DJANGO_SETTINGS_MODULE": SETTINGS}
    crew = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    assert [process.stdout.readline() for process in crew] == ["up\n"] * 4
    for process in crew:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in crew:
        process.communicate(timeout=PATIENCE)
    assert [process.returncode for process in crew] == [0] * 4
    assert numbers() == [*range(1, 21)]
    assert_gap_free()


@several_writers
def test_an_entry_of_an_open_transaction_holds_nobody_up_and_is_not_lost():
    """Its number is that of its becoming visible, not that of its being written."""
    written, go_on = threading.Event(), threading.Event()

    def hold_open():
        with transaction.atomic():
            append(subject="late")
            written.set()
            assert go_on.wait(PATIENCE)

    def overtake():
        assert written.wait(PATIENCE)
        try:
            append(subject="early")
            return number("default")
        finally:
            go_on.set()

    assert together(hold_open, overtake) == [None, 1]
    assert number("default") == 1
    in_order = Revocation.objects.order_by("sequence").values_list("subject", "sequence")
    assert list(in_order) == [("early", 1), ("late", 2)]
    assert list(Revocation.objects.order_by("pk").values_list("subject", flat=True)) == [
        "late",
        "early",
    ]
