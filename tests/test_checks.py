"""Each misconfiguration has an id of its own and a hint; a site without one is told nothing."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.apps import apps
from django.core import checks
from django.core.checks import CheckMessage, Error
from django.db import ProgrammingError, connection, connections
from django.urls import include, path
from rest_framework.authentication import BaseAuthentication

import jwt_revoke.checks
from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.checks.rules import RULES, SIMPLEJWT_NAMES
from jwt_revoke.conf import SETTING_NAMES
from jwt_revoke.signing_keys import create
from jwt_revoke.throttles import SCOPES
from tests.geoip import write_cities

pytestmark = pytest.mark.once

OURS = "jwt_revoke.authentication.JWTAuthentication"
PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n-----END PRIVATE KEY-----"
KEY = "a-key-for-tests-of-more-than-thirty-two-bytes"
OTHER_KEY = "another-key-for-tests-of-more-than-32-bytes"


def run(*, deploy: bool = False) -> list[CheckMessage]:
    """What ``manage.py check`` says of us."""
    found = checks.run_checks(tags=["security"], include_deployment_checks=deploy)
    return [message for message in found if str(message.id).startswith("jwt_revoke.")]


def ids(*, deploy: bool = False) -> list[str]:
    return [str(message.id).removeprefix("jwt_revoke.") for message in run(deploy=deploy)]


def the(number: str, *, deploy: bool = False) -> CheckMessage:
    """The one message of that id, which has a hint."""
    found = run(deploy=deploy)
    (message,) = [message for message in found if message.id == f"jwt_revoke.{number}"]
    assert message.hint
    return message


@pytest.fixture
def configure(settings: Any) -> Callable[..., None]:
    """``configure(NAME=value, …)`` beside what the suite sets."""

    def change(**values: Any) -> None:
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, **values}

    return change


@pytest.fixture
def rest(settings: Any) -> Callable[..., None]:
    """The same for ``REST_FRAMEWORK``."""

    def change(**values: Any) -> None:
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, **values}

    return change


# --- all of them


@pytest.fixture
def bounded_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-outs that the hints ask for, whatever database the suite runs on."""
    options = {"options": "-c statement_timeout=5000", "read_timeout": 5}
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", options)


def test_a_clean_site_is_told_nothing(bounded_database: None) -> None:
    """The suite's own site; no fixture opens the database, so none of the checks may ask it."""
    assert run() == []


def _source() -> str:
    folder = Path(jwt_revoke.checks.__file__).parent
    return "".join(path.read_text() for path in sorted(folder.glob("*.py")))


def test_every_id_is_made_in_one_place() -> None:
    source = _source()
    made = re.findall(r'"(?:jwt_revoke\.)?([EWI]\d{3})"', source)

    assert len(made) == len(set(made)) > 40


def test_every_id_has_a_test() -> None:
    source = _source()
    made = set(re.findall(r'"(?:jwt_revoke\.)?([EWI]\d{3})"', source))
    tests = Path(__file__).read_text()

    assert made - set(re.findall(r'"([EWI]\d{3})"', tests)) == set()


def test_every_setting_has_a_rule() -> None:
    assert RULES.keys() == SETTING_NAMES


def test_every_rule_says_what_to_do() -> None:
    assert all(hint for _number, _rule, hint in RULES.values())


def test_a_mended_setting_is_no_longer_complained_of(configure: Callable[..., None]) -> None:
    configure(ON_REUSE="nothing")
    assert "E105" in ids()

    configure(ON_REUSE="user")
    assert "E105" not in ids()


# --- the dict


@pytest.mark.parametrize("value", [None, [], "x"])
def test_a_setting_that_is_no_dict(settings: Any, value: Any) -> None:
    settings.JWT_REVOKE = value

    assert "no" in the("E001").msg


def test_no_dict_at_all_is_the_defaults(settings: Any) -> None:
    del settings.JWT_REVOKE

    assert set(ids()) <= {"W201", "W208"}


def test_an_unknown_name_is_shown_with_the_known_ones(configure: Callable[..., None]) -> None:
    configure(FOO=1)

    message = the("E002")
    assert "'FOO'" in message.msg
    assert "SIGNING_KEYS" in str(message.hint)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("access_token_lifetime", "ACCESS_TOKEN_LIFETIME"),
        ("ACCES_TOKEN_LIFETIME", "ACCESS_TOKEN_LIFETIME"),
        ("REFRESH_KEY", "REFRESH_KEYS"),
    ],
)
def test_a_misspelt_name_is_told_what_was_meant(
    configure: Callable[..., None], name: str, meant: str
) -> None:
    configure(**{name: 1})

    assert the("E002").hint == f"Did you mean {meant!r}?"


@pytest.mark.parametrize("name", SIMPLEJWT_NAMES)
def test_a_name_of_simplejwt_is_told_what_to_do_here(
    configure: Callable[..., None], name: str
) -> None:
    configure(**{name: 1})

    assert the("E002").hint == SIMPLEJWT_NAMES[name]


def test_a_name_that_is_no_text(settings: Any) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, 1: 2}

    assert "1" in the("E002").msg


# --- each value


WRONG: dict[str, tuple[str, list[Any]]] = {
    "ACCESS_TOKEN_LIFETIME": ("E101", [300, None, timedelta(0), timedelta(seconds=-1)]),
    "SESSION_IDLE_TIMEOUT": ("E102", [14, timedelta(0)]),
    "SESSION_LIFETIME": ("E103", ["90 days", timedelta(0)]),
    "REFRESH_GRACE": ("E104", [30, timedelta(seconds=-1)]),
    "ON_REUSE": ("E105", ["all", None, []]),
    "MAX_SESSIONS_PER_USER": ("E106", [0, -1, "5", 1.5, True]),
    "ON_SESSION_LIMIT": ("E107", ["end", {}]),
    "ALGORITHM": ("E108", [None, ["HS256"]]),
    "SIGNING_KEYS": (
        "E109",
        [KEY, [KEY.encode()], None, {KEY: 1}, [{"key": KEY}], [{"algorithm": None, "key": KEY}]],
    ),
    "KEY_STORE": ("E127", ["redis", None, []]),
    "KEY_ENCRYPTION_KEYS": ("E128", [KEY, None, [b"key"]]),
    "KEY_ROTATION_PERIOD": ("E129", [30, timedelta(0)]),
    "KEY_REFRESH_INTERVAL": ("E130", [60, timedelta(0), timedelta(milliseconds=999), None]),
    "SUBJECT": ("E131", ["uuid", None, []]),
    "REFRESH_KEYS": ("E110", [KEY, [None], 5]),
    "ISSUER": ("E111", ["", 1, ["https://example.com"]]),
    "AUDIENCE": ("E112", ["", ["a", "b"]]),
    "CLIENT_ID": ("E113", ["", 7]),
    "LEEWAY": ("E114", [10, timedelta(seconds=-1)]),
    "CLAIMS": ("E115", ["nowhere.to.be.found", "claims", len, "jwt_revoke.conf.SETTING_NAMES"]),
    "BACKEND": ("E116", [None, DatabaseBackend]),
    "OPTIONS": ("E117", [None, ["max_staleness"]]),
    "USER_QUERYSET": ("E125", ["nowhere.queryset", len]),
    "VERIFIED_CACHE_SIZE": ("E126", [-1, 1.5, None, True]),
    "WATCHED_FIELDS": ("E118", ["role", [1], None]),
    "REVOKE_ON": ("E119", [["suspended"], {"suspended": "everything"}, {"left": "access"}]),
    "REVOKE_ON_DJANGO_LOGOUT": ("E120", [1, "yes", None]),
    "AUDIT_RETENTION": ("E121", [365, timedelta(0)]),
    "DEVICE_DATA_RETENTION": ("E122", [90, None]),
    "AUTH_HEADER_TYPES": ("E123", ["Bearer", [], [""], None]),
    "DEVICE_NAMER": ("E124", ["nowhere.name", None]),
}
RIGHT: dict[str, list[Any]] = {
    "ACCESS_TOKEN_LIFETIME": [timedelta(minutes=1)],
    "REFRESH_GRACE": [timedelta(0)],
    "MAX_SESSIONS_PER_USER": [None, 5],
    "ISSUER": [None, "https://example.com"],
    "LEEWAY": [timedelta(0), timedelta(seconds=10)],
    "CLAIMS": [None, "builtins.dict"],
    "WATCHED_FIELDS": [[], ("is_staff", "role")],
    "REVOKE_ON": [{}, {"suspended": None, "role_changed": "session"}],
    "AUTH_HEADER_TYPES": [["JWT", "Bearer"]],
    "SIGNING_KEYS": [(KEY, OTHER_KEY), [{"algorithm": "HS256", "key": KEY}, OTHER_KEY]],
    "KEY_ROTATION_PERIOD": [None, timedelta(days=30)],
    "SUBJECT": ["pk", "opaque"],
}


def test_every_setting_is_tried_with_wrong_values() -> None:
    assert WRONG.keys() == RULES.keys()
    assert [number for number, _values in WRONG.values()] == [rule[0] for rule in RULES.values()]


@pytest.mark.parametrize(
    ("name", "number", "value"),
    [(name, number, value) for name, (number, values) in WRONG.items() for value in values],
)
def test_a_value_of_the_wrong_kind(
    configure: Callable[..., None], name: str, number: str, value: Any
) -> None:
    configure(**{name: value})

    message = the(number)
    assert isinstance(message, Error)
    assert name in message.msg
    assert message.hint == RULES[name][2]


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in RIGHT.items() for value in values]
)
def test_a_value_of_the_right_kind(
    configure: Callable[..., None], bounded_database: None, name: str, value: Any
) -> None:
    configure(**{name: value})

    assert run() == []


def test_no_message_shows_a_key(configure: Callable[..., None]) -> None:
    """A check's output stands in the log of every deployment."""
    configure(SIGNING_KEYS="the-secret-itself", REFRESH_KEYS=["the-secret-itself"])

    assert "the-secret-itself" not in str(run())


# --- the lifetimes together


def test_an_access_token_that_outlives_an_idle_session(configure: Callable[..., None]) -> None:
    configure(ACCESS_TOKEN_LIFETIME=timedelta(days=15))

    assert "SESSION_IDLE_TIMEOUT" in the("E003").msg


def test_an_idle_time_out_that_never_takes_effect(configure: Callable[..., None]) -> None:
    configure(SESSION_IDLE_TIMEOUT=timedelta(days=91))

    assert "never takes effect" in the("E005").msg


def test_a_grace_as_long_as_a_token(configure: Callable[..., None]) -> None:
    configure(REFRESH_GRACE=timedelta(minutes=5))

    assert "REFRESH_GRACE" in the("E006").msg


def test_the_lifetimes_are_not_compared_while_one_is_no_duration(
    configure: Callable[..., None],
) -> None:
    configure(ACCESS_TOKEN_LIFETIME=300, SESSION_IDLE_TIMEOUT=timedelta(days=91))

    assert "E101" in ids()
    assert "E005" not in ids()


def test_a_rotation_that_takes_longer_than_its_period(configure: Callable[..., None]) -> None:
    configure(KEY_ROTATION_PERIOD=timedelta(minutes=10))

    assert "KEY_ROTATION_PERIOD" in the("E007").msg


# --- the user model


def test_a_watched_field_that_the_user_lacks(configure: Callable[..., None]) -> None:
    configure(WATCHED_FIELDS=["is_staff", "rank"])

    assert "'rank'" in the("E004").msg


def test_a_watched_relation_is_no_column(configure: Callable[..., None]) -> None:
    configure(WATCHED_FIELDS=["groups"])

    assert "'groups'" in the("E004").msg


def test_a_user_model_without_is_active_is_told_not_refused(settings: Any) -> None:
    settings.AUTH_USER_MODEL = "accounts.Bare"

    assert the("I001").level == checks.INFO


# --- keys


def test_a_key_that_is_too_short(configure: Callable[..., None]) -> None:
    configure(SIGNING_KEYS=["short"])

    assert "SIGNING_KEYS" in the("E201").msg


def test_a_refresh_key_that_is_too_short(configure: Callable[..., None]) -> None:
    configure(REFRESH_KEYS=["short"])

    assert "REFRESH_KEYS" in the("E201").msg


def test_an_algorithm_that_there_is_not(configure: Callable[..., None]) -> None:
    configure(ALGORITHM="none")

    assert "none" in the("E201").msg


def test_a_private_key_taken_for_a_secret(configure: Callable[..., None]) -> None:
    configure(SIGNING_KEYS=[PEM])

    message = the("E205")
    assert "HS256" in message.msg
    assert "ALGORITHM" in str(message.hint)


def test_a_secret_taken_for_a_private_key(configure: Callable[..., None]) -> None:
    configure(ALGORITHM="ES256")

    assert "ES256" in the("E201").msg


@pytest.mark.parametrize("name", ["SIGNING_KEYS", "REFRESH_KEYS"])
def test_a_key_that_is_derived_from_the_secret_key(
    configure: Callable[..., None], name: str
) -> None:
    configure(**{name: []})

    assert name in the("W201", deploy=True).msg


def test_one_key_for_both_kinds_of_token(configure: Callable[..., None]) -> None:
    configure(SIGNING_KEYS=[KEY], REFRESH_KEYS=[OTHER_KEY, KEY])

    assert "verify" in the("E206").msg


@pytest.mark.parametrize("name", ["SIGNING_KEYS", "REFRESH_KEYS"])
def test_the_secret_key_as_one_of_ours(
    configure: Callable[..., None], settings: Any, name: str
) -> None:
    configure(**{name: [settings.SECRET_KEY]})

    assert name in the("W209").msg


def test_a_key_with_an_algorithm_of_its_own_is_compared_too(
    configure: Callable[..., None], settings: Any
) -> None:
    configure(SIGNING_KEYS=[{"algorithm": "HS512", "key": settings.SECRET_KEY}])

    assert "SIGNING_KEYS" in the("W209").msg


def test_no_file_where_keys_are_in_files(configure: Callable[..., None]) -> None:
    configure(KEY_STORE="files", SIGNING_KEYS=[])

    assert "no file is named" in the("E201").msg


@pytest.mark.parametrize("keys", [[], ["not a key"]])
def test_keys_in_the_database_that_cannot_be_encrypted(
    configure: Callable[..., None], keys: list[str]
) -> None:
    configure(KEY_STORE="database", KEY_ENCRYPTION_KEYS=keys)

    message = the("E209")
    assert "KEY_ENCRYPTION_KEYS" in message.msg
    assert "Fernet" in str(message.hint)


def test_an_encryption_key_of_no_kind_is_said_once(configure: Callable[..., None]) -> None:
    configure(KEY_STORE="database", KEY_ENCRYPTION_KEYS=None)

    assert ids() == ["E128"]


# --- what is stored, said where the database may be asked


def stored(*databases: str) -> list[CheckMessage]:
    found = checks.run_checks(tags=[checks.Tags.database], databases=databases)
    return [message for message in found if str(message.id).startswith("jwt_revoke.")]


@pytest.mark.django_db
def test_no_key_is_stored_yet(stored_keys: Any) -> None:
    (message,) = stored("default")
    assert str(message.id).removeprefix("jwt_revoke.") == "W212"
    assert "keys rotate" in str(message.hint)


@pytest.mark.django_db
def test_stored_keys_that_can_be_used(stored_keys: Any) -> None:
    create("default")

    assert stored("default") == []


@pytest.mark.django_db
def test_stored_keys_that_no_key_decrypts(stored_keys: Any, configure: Callable[..., None]) -> None:
    lost = create("default")
    configure(KEY_ENCRYPTION_KEYS=[Fernet.generate_key().decode()])

    (message,) = stored("default")
    assert str(message.id).removeprefix("jwt_revoke.") == "E210"
    assert lost.kid in message.msg


@pytest.mark.django_db
def test_stored_keys_before_the_first_migration(stored_keys: Any) -> None:
    def missing(execute: Any, sql: str, *args: Any) -> Any:
        raise ProgrammingError("relation does not exist")

    with connection.execute_wrapper(missing):
        assert stored("default") == []


def test_stored_keys_are_not_asked_for_without_a_database(stored_keys: Any) -> None:
    assert stored() == []


def test_keys_of_the_settings_ask_no_database(settings: Any) -> None:
    assert stored("default") == []


# --- the backend


def test_a_backend_that_cannot_be_imported(configure: Callable[..., None]) -> None:
    configure(BACKEND="jwt_revoke.backends.databse.DatabaseBackend")

    assert "databse" in the("E202").msg


def test_a_backend_that_is_none(configure: Callable[..., None]) -> None:
    configure(BACKEND="builtins.dict")

    assert "BaseBackend" in the("E202").msg


def test_an_option_that_the_backend_does_not_know(configure: Callable[..., None]) -> None:
    configure(OPTIONS={"max_stalenes": 1})

    assert "max_stalenes" in the("E202").msg


class Talkative(DatabaseBackend):
    def system_checks(self) -> list[CheckMessage]:
        return [checks.Warning("Nothing lasts.", hint="Enjoy it.", id="jwt_revoke.W999")]


def test_a_backend_has_a_say_of_its_own(configure: Callable[..., None]) -> None:
    configure(BACKEND=f"{__name__}.Talkative")

    assert the("W999").msg == "Nothing lasts."


# --- apps and URLs


@pytest.mark.parametrize(
    "name", ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework"]
)
def test_an_app_that_is_missing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    installed = apps.is_installed
    monkeypatch.setattr(apps, "is_installed", lambda app: app != name and installed(app))

    assert name in the("E203").msg


def urls(*patterns: Any) -> ModuleType:
    module = ModuleType("urls_of_a_test")
    module.urlpatterns = list(patterns)
    return module


@pytest.mark.parametrize("missing", ["patterns", "setting"])
def test_endpoints_that_nothing_leads_to(settings: Any, missing: str) -> None:
    settings.ROOT_URLCONF = urls() if missing == "patterns" else None

    assert "jwt_revoke.urls" in str(the("W202").hint)


@pytest.mark.parametrize(
    "patterns",
    [
        path("a/", include("jwt_revoke.urls")),
        path("a/", include("jwt_revoke.urls", namespace="accounts")),
        path("a/", include(([path("b/", include("jwt_revoke.urls"))], "api"))),
    ],
    ids=["plain", "in a namespace of the site's", "below another"],
)
def test_endpoints_are_found_wherever_they_are_included(settings: Any, patterns: Any) -> None:
    settings.ROOT_URLCONF = urls(path("x/", str), patterns)

    assert "W202" not in ids()


# --- REST framework


class Bearer(BaseAuthentication):
    """Another package's."""


def test_no_authentication_of_ours(rest: Callable[..., None]) -> None:
    rest(DEFAULT_AUTHENTICATION_CLASSES=[f"{__name__}.Bearer"])

    assert "JWTAuthentication" in str(the("W203").hint)


def test_ours_is_not_the_first(rest: Callable[..., None]) -> None:
    rest(DEFAULT_AUTHENTICATION_CLASSES=[f"{__name__}.Bearer", OURS])

    assert "401" in str(the("W204").hint)


def test_a_misspelt_authentication_class(rest: Callable[..., None]) -> None:
    rest(DEFAULT_AUTHENTICATION_CLASSES=["jwt_revoke.authentication.JWTAuthentification"])

    assert "JWTAuthentification" in the("E207").msg


def test_an_authentication_class_that_is_no_path(rest: Callable[..., None]) -> None:
    rest(DEFAULT_AUTHENTICATION_CLASSES=[Bearer])

    assert "dotted path" in str(the("E207").hint)


def test_simplejwt_beside_us_accepts_what_cannot_be_revoked(
    rest: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("rest_framework_simplejwt.authentication")
    module.JWTAuthentication = type("Theirs", (Bearer,), {"__module__": module.__name__})
    monkeypatch.setitem(sys.modules, module.__name__, module)
    rest(DEFAULT_AUTHENTICATION_CLASSES=[OURS, f"{module.__name__}.JWTAuthentication"])

    assert "cannot be revoked" in the("W210").msg


# --- throttles


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_without_a_rate(rest: Callable[..., None], settings: Any, scope: str) -> None:
    rates = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    rest(DEFAULT_THROTTLE_RATES={**rates, scope: None})

    message = the("W207")
    assert scope in message.msg
    assert scope in str(message.hint)


@pytest.mark.parametrize("rate", ["20", "20/", "twenty/min", "20/fortnight", 20, "1/2/min"])
def test_a_rate_that_cannot_be_read(rest: Callable[..., None], settings: Any, rate: Any) -> None:
    rates = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    rest(DEFAULT_THROTTLE_RATES={**rates, SCOPES[0]: rate})

    assert SCOPES[0] in the("E208").msg


@pytest.mark.parametrize("rate", ["20/min", "1/s", "0/day", "5/hour"])
def test_a_rate_that_can_be_read(rest: Callable[..., None], settings: Any, rate: str) -> None:
    rest(DEFAULT_THROTTLE_RATES=dict.fromkeys(SCOPES, rate))

    assert not {"E208", "W207"} & set(ids())


def cache(name: str) -> dict[str, dict[str, str]]:
    return {"default": {"BACKEND": f"django.core.cache.backends.{name}", "LOCATION": "x"}}


def test_a_cache_that_keeps_nothing(settings: Any) -> None:
    settings.CACHES = cache("dummy.DummyCache")

    assert "DummyCache" in the("W205").msg


def test_a_cache_that_does_not_count(settings: Any) -> None:
    settings.CACHES = cache("filebased.FileBasedCache")

    assert "FileBasedCache" in the("W206").msg


def test_a_cache_that_no_other_process_sees(settings: Any) -> None:
    """On a developer's machine it is right: said with ``check --deploy`` only."""
    settings.CACHES = cache("locmem.LocMemCache")

    assert "W211" in ids(deploy=True)
    assert "W211" not in ids()


@pytest.mark.parametrize("name", ["redis.RedisCache", "db.DatabaseCache"])
def test_a_shared_cache_is_told_nothing(settings: Any, name: str) -> None:
    settings.CACHES = cache(name)

    assert not {"W205", "W206", "W211"} & set(ids(deploy=True))


# --- databases


@pytest.mark.parametrize(
    ("vendor", "options", "complains"),
    [
        ("postgresql", {}, True),
        ("postgresql", {"connect_timeout": 3}, True),
        ("postgresql", {"options": "-c statement_timeout=5000"}, False),
        ("mysql", {}, True),
        ("mysql", {"read_timeout": 5}, False),
        ("sqlite", {}, False),
        ("oracle", {}, False),
    ],
)
def test_a_database_without_time_outs(
    monkeypatch: pytest.MonkeyPatch, vendor: str, options: dict[str, Any], complains: bool
) -> None:
    monkeypatch.setattr(connections["default"], "vendor", vendor)
    monkeypatch.setitem(connections["default"].settings_dict, "OPTIONS", options)

    assert ("W208" in ids()) is complains
    if complains:
        assert "timeout" in str(the("W208").hint)


class UsersElsewhere:
    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "default" if model._meta.app_label == "jwt_revoke" else "users"


def test_users_in_another_database(settings: Any) -> None:
    settings.DATABASE_ROUTERS = [UsersElsewhere()]

    assert "'users'" in the("E204").msg


# --- places


def test_a_geoip_path_that_leads_to_no_database(settings: Any, tmp_path: Path) -> None:
    settings.GEOIP_PATH = tmp_path

    assert "Path must be a valid database" in the("W213").msg


def test_a_geoip_database_that_can_be_read_is_told_nothing(settings: Any, tmp_path: Path) -> None:
    settings.GEOIP_PATH = write_cities(tmp_path)

    assert "W213" not in ids()
