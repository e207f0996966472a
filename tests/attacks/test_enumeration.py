"""A failed sign-in tells nobody whether the account exists (ASVS 5.0 V6.3.8): neither by its
answer, nor by the work it makes."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jwt_revoke import settling
from tests.conftest import PASSWORD, credentials, make_user
from tests.wire import AUTH, READS

URL = AUTH + "token/"
HAS_IS_ACTIVE = any(field.name == "is_active" for field in get_user_model()._meta.fields)
INACTIVE = pytest.param(
    "inactive", marks=pytest.mark.skipif(not HAS_IS_ACTIVE, reason="no column is_active")
)


@pytest.fixture
def accounts(db):
    """``alice`` can sign in, ``inactive`` could not even with the right password."""
    make_user("alice")
    make_user("without")
    get_user_model().objects.filter(**{get_user_model().USERNAME_FIELD: "without"}).update(
        password="!unusable"
    )
    if HAS_IS_ACTIVE:
        make_user("inactive", is_active=False)


def attempt(client, name):
    password = PASSWORD if name == "inactive" else "wrong"
    return client.post(URL, credentials(name, password))


@pytest.fixture
def hashed(monkeypatch):
    """The passwords that were hashed, one entry each time."""
    calls = []
    original = MD5PasswordHasher.encode

    def encode(self, password, salt, *args):
        calls.append(password)
        return original(self, password, salt, *args)

    monkeypatch.setattr(MD5PasswordHasher, "encode", encode)
    return calls


WHO = pytest.mark.parametrize("name", ["nobody", "alice", "without", INACTIVE])


@WHO
def test_the_answers_are_equal(accounts, anonymous, name):
    """To the byte, headers included."""
    expected, found = attempt(anonymous, "another nobody"), attempt(anonymous, name)
    assert (found.status_code, found.content) == (expected.status_code, expected.content)
    assert found.headers == expected.headers


@WHO
def test_the_hashes_computed_are_equal_in_number(accounts, anonymous, hashed, name):
    """Counted and not timed: the hash is what takes the time."""
    attempt(anonymous, name)
    assert len(hashed) == 1


@WHO
def test_the_statements_are_equal_in_number(accounts, anonymous, name):
    with CaptureQueriesContext(connection) as captured:
        attempt(anonymous, name)
    assert len(captured) == 1


def test_nothing_is_written_for_a_refused_sign_in(accounts, anonymous, monkeypatch):
    monkeypatch.setattr(settling, "ensure_state", None)
    with CaptureQueriesContext(connection) as captured:
        attempt(anonymous, "alice")
    assert all(query["sql"].startswith(READS) for query in captured.captured_queries)


@WHO
def test_a_refused_sign_in_is_in_the_log(accounts, anonymous, caplog, name):
    """ASVS 5.0 V16.3.1. In the same words whoever was tried: logs are read by many."""
    with caplog.at_level("INFO", "jwt_revoke"):
        attempt(anonymous, name)
    said = [record.getMessage() for record in caplog.records if record.name == "jwt_revoke"]
    assert said == ["Sign-in refused: unknown, inactive, or a wrong password"]


def test_the_log_does_not_repeat_the_name_that_was_tried(accounts, anonymous, caplog):
    """People type passwords there."""
    with caplog.at_level("DEBUG"):
        attempt(anonymous, "hunter2-typed-into-the-wrong-field")
    assert "hunter2" not in caplog.text
