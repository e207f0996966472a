"""Which backend serves, for how long, and what publishing may not do."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from jwt_revoke import api, log
from jwt_revoke.backends import base
from jwt_revoke.backends.base import (
    BaseBackend,
    get_backend,
    get_database_backend,
    get_strict_backend,
)
from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.backends.stateless import StatelessBackend
from jwt_revoke.models import Revocation
from tests.conftest import make_user


class Closing(StatelessBackend):
    """Tells that it was let go."""

    closed: ClassVar[list] = []

    def close(self):
        self.closed.append(self)


class Slow(StatelessBackend):
    """Made by as many as come at once: none is done before all have begun."""

    together = threading.Barrier(8, timeout=20)

    def __init__(self, options):
        super().__init__(options)
        self.together.wait()


class Optional(StatelessBackend):
    option_names = frozenset({"colour"})

    def __init__(self, options):
        super().__init__(options)
        self.options = options


class Publishing(StatelessBackend):
    """Remembers what had been committed when it was asked to publish."""

    seen: ClassVar[list] = []

    def publish(self, using):
        self.seen.append((using, Revocation.objects.count(), connection.in_atomic_block))


class Failing(StatelessBackend):
    def publish(self, using):
        raise RuntimeError("a bug of its own")


@pytest.fixture(autouse=True)
def nothing_seen(monkeypatch):
    monkeypatch.setattr(Closing, "closed", [])
    monkeypatch.setattr(Publishing, "seen", [])


@pytest.fixture
def configure(settings):
    def configure(backend, **options):
        path = backend if isinstance(backend, str) else f"{__name__}.{backend.__name__}"
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path, "OPTIONS": options}

    return configure


def test_without_a_setting_it_is_the_database():
    assert type(get_backend()) is DatabaseBackend


def test_it_is_made_with_the_options(configure):
    configure(Optional, colour="red")
    assert get_backend().options == {"colour": "red"}


def test_options_are_the_configured_ones_alone(configure):
    """The database backend that stands behind it knows none of them."""
    configure(Optional, colour="red")
    assert type(get_database_backend()) is DatabaseBackend


def test_the_database_answers_strictly_for_one_that_is_not(configure):
    configure(Optional)
    assert get_strict_backend() is get_database_backend() is not get_backend()


def test_a_strict_one_answers_strictly_itself():
    assert get_strict_backend() is get_backend()


@pytest.mark.parametrize(
    "path",
    [
        "no_such_module.Backend",
        f"{__name__}.NoSuchClass",
        f"{__name__}.make_user",
        "builtins.dict",
        "NoDots",
    ],
)
def test_what_is_no_backend_is_a_fault_of_the_settings(configure, path):
    configure(path)
    with pytest.raises(ImproperlyConfigured, match="BACKEND"):
        get_backend()


def test_one_that_cannot_be_made_is_tried_again_when_it_can(configure):
    configure(Optional, taste="sour")
    with pytest.raises(ImproperlyConfigured, match="taste"):
        get_backend()
    configure(Optional, colour="red")
    assert get_backend()


def test_a_backend_says_what_to_check():
    """Its contract has no way to be forgotten."""
    with pytest.raises(TypeError, match="abstract"):
        BaseBackend({})


def test_of_those_that_threads_make_at_once_one_serves_all(configure):
    configure(Slow)
    with ThreadPoolExecutor(8) as pool:
        found = {id(future.result()) for future in [pool.submit(get_backend) for _ in range(8)]}
    assert len(found) == 1
    assert id(get_backend()) in found


def test_a_change_of_our_settings_closes_it_and_makes_another(configure, settings):
    configure(Closing)
    first = get_backend()
    settings.JWT_REVOKE = {**settings.JWT_REVOKE}
    assert Closing.closed == [first]
    assert get_backend() is not first


@pytest.mark.parametrize(
    ("setting", "closes"),
    [
        ("JWT_REVOKE", True),
        ("AUTH_USER_MODEL", True),
        ("CACHES", True),
        ("DATABASES", True),
        ("USE_TZ", True),
        ("TIME_ZONE", True),
        ("DEBUG", False),
        ("LANGUAGE_CODE", False),
    ],
)
def test_what_a_backend_has_taken_from_the_settings_does_not_outlive_them(
    configure, setting, closes
):
    """Compiled SQL, connections, the user model."""
    configure(Closing)
    first = get_backend()
    base._forget_backends(setting=setting)
    assert Closing.closed == ([first] if closes else [])
    assert (get_backend() is first) != closes


@pytest.mark.django_db(transaction=True)
def test_publishing_comes_after_the_commit_and_before_the_call_returns(configure):
    """Invariant 1: what returned is effective; invariant 2: what may be undone is not."""
    configure(Publishing)
    api.revoke_user(make_user())
    assert Publishing.seen == [("default", 1, False)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("backend", [Failing, "no_such_module.Backend"])
def test_what_cannot_be_published_stands_all_the_same(configure, caplog, backend):
    """Invariant 2: committed, and never an error to the caller. A reader finds it in the log."""
    user = make_user()
    configure(backend)
    assert api.revoke_user(user)
    assert Revocation.objects.count() == 1
    assert "Committed, and not published" in caplog.text


def test_a_publisher_that_fails_raises_nothing(configure, caplog):
    configure(Failing)
    for publisher in log.publishers:
        publisher.publish("default")
    assert "a bug of its own" in caplog.text
