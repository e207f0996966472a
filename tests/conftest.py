"""The one set of fixtures: a user, their devices, an anonymous client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.management.commands import flush
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.test import signals
from django.urls import set_urlconf
from rest_framework.test import APIClient

from jwt_revoke import codec
from jwt_revoke.keystore import forget_keys
from jwt_revoke.testing import Device

PASSWORD = "correct horse battery staple"

pytest_plugins = ["jwt_revoke.testing.fixtures", "tests.silence.plugin"]
pytest.register_assert_rewrite("tests.wire")

# Django forgets every resolver when the setting changes, as it does twice in each test of the
# admin, and a resolver of ours takes longer to fill than a page. Each is kept under the name of
# its URLconf, so that none is stale.
setting_changed.disconnect(signals.root_urlconf_changed)


@receiver(setting_changed)
def _forget_the_urlconf_of_the_thread(*, setting: str, **_: Any) -> None:
    if setting == "ROOT_URLCONF":
        set_urlconf(None)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """After each test that commits, Django empties all tables and then has every app work out its
    content types and permissions again, which takes longer than most of these tests. The rows are
    put back as they were instead."""
    with django_db_blocker.unblock():
        types, permissions = list(ContentType.objects.all()), list(Permission.objects.all())

    def put_back(verbosity: int, interactive: bool, database: str) -> None:
        ContentType.objects.clear_cache()
        ContentType.objects.using(database).bulk_create(types)
        Permission.objects.using(database).bulk_create(permissions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "emit_post_migrate_signal", put_back)
        yield


@pytest.fixture(autouse=True)
def _keys_are_read_again() -> None:
    """The keys that the process knows may be those of a test that was rolled back."""
    forget_keys()


@pytest.fixture
def stored_keys(settings: Any) -> Any:
    """Keys in the database, of another algorithm than the one in the settings. The settings."""
    (configured,) = settings.JWT_REVOKE["SIGNING_KEYS"]
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "KEY_STORE": "database",
        "ALGORITHM": "ES256",
        "SIGNING_KEYS": [{"algorithm": "HS256", "key": configured}],
        "KEY_ENCRYPTION_KEYS": [Fernet.generate_key().decode()],
    }
    return settings


def make_user(name: str = "alice", **fields: Any) -> Any:
    """A user of whatever model is configured, with the password ``PASSWORD``."""
    model = get_user_model()
    user = model(**{model.USERNAME_FIELD: name}, **fields)
    user.set_password(PASSWORD)
    user.save()
    return user


def credentials(name: str = "alice", password: str = PASSWORD) -> dict[str, str]:
    """The body of a sign-in."""
    return {get_user_model().USERNAME_FIELD: name, "password": password}


@pytest.fixture
def user(db: None) -> Any:
    return make_user()


@pytest.fixture
def phone(user: Any) -> Device:
    """A device on which ``user`` is signed in."""
    return Device(user, "phone", HTTP_USER_AGENT="Phone/1")


@pytest.fixture
def laptop(user: Any) -> Device:
    """Another one."""
    return Device(user, "laptop", HTTP_USER_AGENT="Laptop/1")


@pytest.fixture
def anonymous() -> APIClient:
    return APIClient()


@pytest.fixture
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing counted yet, and a clock that stands still within one window."""
    cache.clear()
    now = int(time.time()) // 86_400 * 86_400 + 10
    monkeypatch.setattr(time, "time", lambda: now)
    yield
    cache.clear()


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts whose signature was verified."""
    seen: list[str] = []
    real = codec.read_payload

    def read_payload(raw: str, key: Any) -> Any:
        seen.append(raw)
        return real(raw, key)

    monkeypatch.setattr(codec, "read_payload", read_payload)
    return seen
