from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import override_settings

from jwt_revoke.conf import SETTING_NAMES, conf
from jwt_revoke.user_agents import name_device

pytestmark = pytest.mark.once

DEFAULTS = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=5),
    "SESSION_IDLE_TIMEOUT": timedelta(days=14),
    "SESSION_LIFETIME": timedelta(days=90),
    "REFRESH_GRACE": timedelta(seconds=30),
    "ON_REUSE": "session",
    "MAX_SESSIONS_PER_USER": None,
    "ON_SESSION_LIMIT": "end_oldest",
    "ALGORITHM": "HS256",
    "SIGNING_KEYS": (),
    "KEY_STORE": "settings",
    "KEY_ENCRYPTION_KEYS": (),
    "KEY_ROTATION_PERIOD": None,
    "KEY_REFRESH_INTERVAL": timedelta(minutes=1),
    "SUBJECT": "pk",
    "REFRESH_KEYS": (),
    "ISSUER": None,
    "AUDIENCE": None,
    "CLIENT_ID": None,
    "LEEWAY": timedelta(0),
    "CLAIMS": None,
    "BACKEND": "jwt_revoke.backends.database.DatabaseBackend",
    "OPTIONS": {},
    "USER_QUERYSET": None,
    "VERIFIED_CACHE_SIZE": 10_000,
    "WATCHED_FIELDS": ("is_staff", "is_superuser"),
    "REVOKE_ON": {
        "password_changed": "session",
        "role_changed": "access",
        "suspended": "session",
        "deleted": "session",
    },
    "REVOKE_ON_DJANGO_LOGOUT": False,
    "AUDIT_RETENTION": timedelta(days=365),
    "DEVICE_DATA_RETENTION": timedelta(days=90),
    "AUTH_HEADER_TYPES": ("Bearer",),
    "DEVICE_NAMER": name_device,
}

DOTTED = {
    "USER_QUERYSET": ("tests.test_conf.name_nothing", lambda: name_nothing),
    "CLAIMS": ("tests.test_conf.name_nothing", lambda: name_nothing),
    "DEVICE_NAMER": ("tests.test_conf.name_nothing", lambda: name_nothing),
}


def name_nothing(*_arguments):
    return {}


def test_every_setting_is_known():
    assert set(DEFAULTS) == SETTING_NAMES


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_default(name, settings):
    settings.JWT_REVOKE = {}
    assert getattr(conf, name) == DEFAULTS[name]


@pytest.mark.parametrize("name", sorted(set(DEFAULTS) - set(DOTTED) - {"REVOKE_ON"}))
def test_override_settings_is_seen_at_once_and_undone(name):
    before = getattr(conf, name)
    value = object()
    with override_settings(JWT_REVOKE={name: value}):
        assert getattr(conf, name) is value
    assert getattr(conf, name) == before


@pytest.mark.parametrize("name", sorted(DOTTED))
def test_callable_is_given_by_its_dotted_path(name, settings):
    path, function = DOTTED[name]
    settings.JWT_REVOKE = {name: path}
    assert getattr(conf, name) is function()


def test_event_left_out_of_revoke_on_keeps_its_default(settings):
    settings.JWT_REVOKE = {"REVOKE_ON": {"role_changed": None}}
    assert {**DEFAULTS["REVOKE_ON"], "role_changed": None} == conf.REVOKE_ON


@pytest.mark.parametrize("value", [None, ["ALGORITHM"], "HS512"])
def test_what_is_no_dict_counts_as_nothing_configured(value, settings):
    """A check says so; reading a setting must not fail before it can."""
    settings.JWT_REVOKE = value
    assert conf.configured == {}
    assert conf.ALGORITHM == "HS256"


def test_nothing_configured_at_all(settings):
    del settings.JWT_REVOKE
    assert conf.ALGORITHM == "HS256"


def test_every_setting_is_documented():
    assert all(getattr(type(conf), name).__doc__ for name in SETTING_NAMES)
