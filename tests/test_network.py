"""Nothing is told to anybody: no telemetry, no look for a newer version, no list fetched."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import jwt_revoke

PACKAGE = Path(jwt_revoke.__file__).parent
ROOT = PACKAGE.parent
NETWORK = {
    *("aiohttp", "django_redis", "ftplib", "http", "httpx", "imaplib", "redis"),
    *("requests", "smtplib", "socket", "socketserver", "ssl", "subprocess", "telnetlib", "urllib"),
    *("urllib3", "webbrowser", "websockets", "xmlrpc", "django.core.mail"),
}
HARMLESS = {"urllib.parse"}
REACH_OUT = {
    # The operator's command asks the site whose address it is given.
    "canary/asking.py": {"http"},
    # The cache that the site configured.
    "backends/replica/cluster.py": {"django_redis", "redis"},
    "backends/replica/stream.py": {"django_redis", "redis"},
    # The name of the host, for the report of a process.
    "processes.py": {"socket"},
}

pytestmark = pytest.mark.once


def test_at_work_it_reaches_for_no_network():
    """All modules, the commands, the checks, a user's day, the admin and a replica, on SQLite."""
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "-m", "tests.offline"]
    answer = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert answer.returncode == 0, answer.stderr
    report = json.loads(answer.stdout.splitlines()[-1])
    assert report["tried"] == []
    assert report["noticed"], "it would not have been noticed"
    assert {"jwt_revoke.api", "sign-in", "jwt_revoke status", "replica"} <= set(report["done"])


def imported(source: str) -> Iterator[str]:
    """The absolute imports, wherever they stand."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def reaches_out(name: str) -> bool:
    parents = {name[:end] for end in range(len(name) + 1) if name[end : end + 1] in {"", "."}}
    return bool(parents & NETWORK) and not parents & HARMLESS


def test_only_these_modules_can_open_a_connection():
    found = {
        str(path.relative_to(PACKAGE)): {name.partition(".")[0] for name in names}
        for path in PACKAGE.rglob("*.py")
        if (names := list(filter(reaches_out, imported(path.read_text()))))
    }
    assert found == REACH_OUT


@pytest.mark.parametrize(
    "line",
    [
        "import urllib.request",
        "from urllib import request",
        "import socket",
        "from http import client",
    ],
)
def test_an_import_of_the_network_is_seen(line):
    assert any(map(reaches_out, imported(line)))


def test_taking_an_address_apart_is_no_connection():
    assert not any(map(reaches_out, imported("from urllib.parse import urlsplit")))
