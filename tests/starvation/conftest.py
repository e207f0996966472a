from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection

from tests.canary.serving import gunicorn
from tests.services.starting import redis, start

__all__ = ["redis", "start"]

WORKERS, THREADS = 2, 8
SERVED = [
    pytest.mark.postgresql,
    pytest.mark.races,
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="a server of several processes, on PostgreSQL"
    ),
]
"""The marks of what asks such a server."""


@pytest.fixture
def user(transactional_db: Any, user: Any) -> Any:
    """Committed: the server reads the same database."""
    return user


@dataclass(frozen=True)
class Site:
    """The suite's site, served by gunicorn's threads in several processes."""

    port: int


@contextlib.contextmanager
def served(folder: Path, jwt_revoke: dict[str, Any], own: dict[str, Any]) -> Iterator[Site]:
    arguments = [
        *("--worker-class", "gthread", "--threads", str(THREADS), "--preload"),
        *("--graceful-timeout", "1"),
        # Its own bound on a header is 8 KiB. Ours is to be met.
        *("--limit-request-field_size", "131072"),
    ]
    settings = {"settings": "tests.starvation.settings", "STARVED": json.dumps(own)}
    with gunicorn(jwt_revoke, folder, WORKERS, *arguments, **settings) as url:
        yield Site(urlsplit(url).port or 0)


@pytest.fixture(scope="session")
def site(django_db_setup: None, tmp_path_factory: Any) -> Iterator[Site]:
    """One for all that want nothing special of it: it takes seconds to start."""
    with served(tmp_path_factory.mktemp("site"), {}, {}) as site:
        yield site


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Serves one of the test's own: what ``settings.py`` knows by name, and ``jwt_revoke`` for
    more of our own settings."""
    with contextlib.ExitStack() as stack:
        yield lambda jwt_revoke=None, **own: stack.enter_context(
            served(tmp_path, jwt_revoke or {}, own)
        )
