"""The command against a real server: several processes, each with a copy of its own."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from jwt_revoke.canary import measuring
from jwt_revoke.models import DeviceSession
from tests.canary.serving import gunicorn

pytestmark = [pytest.mark.once, pytest.mark.races]
REPLICA = "jwt_revoke.backends.replica.ReplicaBackend"
STATELESS = "jwt_revoke.backends.stateless.StatelessBackend"
WORKERS = 4


def canary(url: str, *arguments: str) -> str:
    output = io.StringIO()
    call_command(
        *("jwt_revoke", "canary", "--url", url, "--user", "alice", "--workers", str(WORKERS)),
        *arguments,
        stdout=output,
        no_color=True,
    )
    return output.getvalue()


@pytest.mark.parametrize("bound", [0, 0.25])
def test_every_worker_keeps_its_bound(
    user: Any, settings: Any, tmp_path: Path, bound: float
) -> None:
    """Invariant 1, as clients see it."""
    configured = {"BACKEND": REPLICA, "OPTIONS": {"max_staleness": bound}}
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, **configured}
    with gunicorn(configured, tmp_path, WORKERS) as url:
        lines = canary(url, "--rounds", "3").splitlines()

    assert lines[0].split()[0] == "Worker"
    assert len(lines) == 1 + WORKERS + 1
    assert lines[-1].startswith("all")
    assert not DeviceSession.objects.filter(ended_at__isnull=True).exists()


def test_a_site_that_keeps_accepting_is_an_error(
    user: Any, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_PATIENCE", 1.0)
    monkeypatch.setattr(measuring, "_HOPELESS", 0.5)
    configured = {"BACKEND": STATELESS}
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, **configured}
    late = pytest.raises(CommandError, match="4 of 4 workers accepted later")
    with gunicorn(configured, tmp_path, WORKERS) as url, late as caught:
        canary(url)

    assert caught.value.returncode == 1
    assert not DeviceSession.objects.filter(ended_at__isnull=True).exists()
