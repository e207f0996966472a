"""What the settings take from the environment, and what they do where it is silent."""

from __future__ import annotations

import os
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

# Seconds. A request waits for its database no longer than these, whatever the engine:
# revocation is only as prompt as the slowest thing that it asks.
CONNECT_TIMEOUT = 5
LOCK_TIMEOUT = 5
STATEMENT_TIMEOUT = 15


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def flag(name: str) -> bool:
    return text(name).lower() in {"1", "true", "yes", "on"}


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def number(name: str) -> float | None:
    value = text(name)
    if not value:
        return None
    try:
        return float(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number of seconds, not {value!r}.") from None


def secret_key(path: Path) -> str:
    """``DJANGO_SECRET_KEY``, or a random key kept in a file that only we can read.

    Never a constant: a key printed in a repository signs tokens for whoever has read it.
    """
    if key := text("DJANGO_SECRET_KEY"):
        return key
    try:
        if not path.exists():
            keep_random_key(path)
        return path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"DJANGO_SECRET_KEY is not set and {path} cannot be used ({error.strerror}). "
            "Set DJANGO_SECRET_KEY to at least 50 random characters."
        ) from error


def keep_random_key(path: Path) -> None:
    # Several workers may start at once. The file appears complete or not at all, and the first
    # one wins: a worker with a key of its own would refuse its neighbours' tokens.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(get_random_secret_key())
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()


def database(default: str) -> dict[str, Any]:
    """``DATABASE_URL`` as a Django database with time-outs of its engine."""
    url = text("DATABASE_URL", default)
    config: dict[str, Any] = dict(dj_database_url.parse(url))
    engine = str(config["ENGINE"])
    options = dict(config.get("OPTIONS") or {})
    if engine.endswith("sqlite3"):
        config["OPTIONS"] = SQLITE | options
        return config
    config["CONN_MAX_AGE"] = int(text("DJANGO_CONN_MAX_AGE", "60"))
    config["CONN_HEALTH_CHECKS"] = True
    if engine.endswith("postgresql"):
        ours = POSTGRESQL["options"]
        options["options"] = f"{ours} {options['options']}" if "options" in options else ours
        config["OPTIONS"] = POSTGRESQL | options
    elif engine.endswith("mysql"):
        use_a_mysql_driver()
        config["OPTIONS"] = MYSQL | options
    return config


SQLITE: dict[str, Any] = {
    "timeout": LOCK_TIMEOUT,
    # A transaction that begins as a reader and then writes fails at once when another wrote in
    # between, without waiting for its time-out. So every transaction begins as a writer.
    "transaction_mode": "IMMEDIATE",
    # Readers do not wait for the writer. `synchronous` stays FULL: what is revoked must still
    # be revoked after the power went out.
    "init_command": "PRAGMA journal_mode=WAL",
}

POSTGRESQL: dict[str, Any] = {
    "connect_timeout": CONNECT_TIMEOUT,
    "tcp_user_timeout": STATEMENT_TIMEOUT * 1000,
    "options": (
        f"-c statement_timeout={STATEMENT_TIMEOUT * 1000} -c lock_timeout={LOCK_TIMEOUT * 1000}"
    ),
}

MYSQL: dict[str, Any] = {
    "charset": "utf8mb4",
    "connect_timeout": CONNECT_TIMEOUT,
    "read_timeout": STATEMENT_TIMEOUT,
    "write_timeout": STATEMENT_TIMEOUT,
    "init_command": (
        f"SET SESSION innodb_lock_wait_timeout={LOCK_TIMEOUT}, lock_wait_timeout={LOCK_TIMEOUT}"
    ),
}


def use_a_mysql_driver() -> None:
    """mysqlclient where it is installed; PyMySQL, which needs no compiler, where it is not."""
    if find_spec("MySQLdb") is None:
        import_module("pymysql").install_as_MySQLdb()


def revocation_backend() -> dict[str, Any]:
    """``JWT_REVOKE_BACKEND`` and its options, as the keys of ``JWT_REVOKE``."""
    name = text("JWT_REVOKE_BACKEND", "database")
    options: dict[str, Any] = {}
    if name == "redis":
        options = {"log": "redis", "max_staleness": 0}
    elif name == "replica":
        options = {
            "log": text("JWT_REVOKE_LOG"),
            "max_staleness": number("JWT_REVOKE_MAX_STALENESS"),
        }
        options = {key: value for key, value in options.items() if value not in ("", None)}
    try:
        return {"BACKEND": BACKENDS[name], "OPTIONS": options}
    except KeyError:
        raise ImproperlyConfigured(
            f"JWT_REVOKE_BACKEND must be one of {', '.join(BACKENDS)}, not {name!r}."
        ) from None


BACKENDS = {
    "database": "jwt_revoke.backends.database.DatabaseBackend",
    "replica": "jwt_revoke.backends.replica.ReplicaBackend",
    "redis": "jwt_revoke.backends.replica.ReplicaBackend",
    "stateless": "jwt_revoke.backends.stateless.StatelessBackend",
}


def cache() -> dict[str, Any]:
    """``REDIS_URL`` as Django's cache; without it, each process has its own."""
    url = text("REDIS_URL")
    if not url:
        return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        # redis-py waits without end by default; a Redis that hangs would hang every request.
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 0.3, "SOCKET_TIMEOUT": 0.3},
    }
