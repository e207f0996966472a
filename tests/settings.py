"""The smallest site that shows everything, for the test-suite.

DATABASE_URL             sqlite:///… (default: a fresh file), postgres://…, mysql://…
TEST_USER_MODEL          a model of tests.accounts; default accounts.Member
TEST_ISOLATION           MariaDB: "repeatable read" (default) or "read committed"
TEST_SNAPSHOT_ISOLATION  MariaDB: innodb_snapshot_isolation, OFF (default) or ON
"""

from __future__ import annotations

import atexit
import os
import secrets
import tempfile
from pathlib import Path

import dj_database_url

BASE_DIR = Path(__file__).resolve().parent

SECRET_KEY = "tests-only: signs nothing that anyone trusts"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
STATIC_URL = "/static/"
ROOT_URLCONF = "tests.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = os.environ.get("TEST_USER_MODEL", "accounts.Member")

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.admin",
    "django.contrib.staticfiles",
    "rest_framework",
    "jwt_revoke",
    "tests.accounts",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Of the admin sites in tests.admin. Set there, for each test, they would have each test
        # compile all of its templates again.
        "DIRS": [BASE_DIR / "admin" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# MD5 keeps the suite quick; the second is there to be upgraded from and to.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["jwt_revoke.authentication.JWTAuthentication"],
    "DEFAULT_THROTTLE_RATES": dict.fromkeys(
        [
            "jwt_revoke_token",
            "jwt_revoke_token_user",
            "jwt_revoke_refresh",
            "jwt_revoke_password",
            "jwt_revoke_password_user",
        ],
        "100000/min",
    ),
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}

JWT_REVOKE = {
    "SIGNING_KEYS": ["tests-only-signing-key-of-more-than-32-bytes"],
    "REFRESH_KEYS": ["tests-only-refresh-key-of-more-than-32-bytes"],
}


def _database_of_its_own() -> str:
    """A file, since an in-memory database cannot be shared by racing processes.

    The address goes into the environment: a process that a test starts finds
    the same database. Only the process that chose the name removes it. Nothing
    is made until the first connection: mypy loads these settings too, and
    leaves without running what is registered here.
    """
    folder = Path(tempfile.gettempdir())
    name = f"jwt-revoke-{secrets.token_hex(8)}.sqlite3"
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            for path in folder.glob(f"*{name}*"):
                path.unlink(missing_ok=True)

    atexit.register(remove)
    os.environ["DATABASE_URL"] = f"sqlite:///{folder / name}"
    return os.environ["DATABASE_URL"]


def _database(url: str) -> dict[str, object]:
    """Every wait of the suite is bounded: a lock that is never released fails a test
    instead of hanging the run."""
    database: dict[str, object] = dict(dj_database_url.parse(url))
    engine = str(database["ENGINE"]).rpartition(".")[2]
    if engine == "sqlite3":
        database["OPTIONS"] = {"timeout": 10}
        name = Path(str(database["NAME"]))
        database["TEST"] = {"NAME": str(name.with_name(f"test_{name.name}"))}
    elif engine == "postgresql":
        database["OPTIONS"] = {"connect_timeout": 10, "options": "-c statement_timeout=30000"}
    elif engine == "mysql":
        import pymysql

        # Django accepts it as it is: PyMySQL 1.2 reports itself as mysqlclient 2.2.8.
        pymysql.install_as_MySQLdb()
        snapshot_isolation = os.environ.get("TEST_SNAPSHOT_ISOLATION", "OFF").upper()
        if snapshot_isolation not in {"ON", "OFF"}:
            raise ValueError("TEST_SNAPSHOT_ISOLATION is ON or OFF.")
        database["OPTIONS"] = {
            "charset": "utf8mb4",
            "connect_timeout": 10,
            "read_timeout": 30,
            "write_timeout": 30,
            "isolation_level": os.environ.get("TEST_ISOLATION", "repeatable read"),
            "init_command": (
                f"SET SESSION innodb_snapshot_isolation={snapshot_isolation},"
                " innodb_lock_wait_timeout=20"
            ),
        }
    return database


DATABASES = {"default": _database(os.environ.get("DATABASE_URL") or _database_of_its_own())}
