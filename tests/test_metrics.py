"""Prometheus metrics: what is counted where, in one process, in several, and without Prometheus."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, multiprocess

from jwt_revoke import api, metrics
from jwt_revoke.authentication import authenticate_token
from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.exceptions import Unavailable
from jwt_revoke.testing import Device

ROOT = Path(__file__).resolve().parent.parent
VERDICTS = ["live", "stale", "revoked", "unavailable"]


def checks(verdict: str) -> float:
    return REGISTRY.get_sample_value("jwt_revoke_checks_total", {"verdict": verdict}) or 0


def counted(device: Device) -> dict[str, float]:
    """What one request adds to the counters."""
    before = {verdict: checks(verdict) for verdict in VERDICTS}
    device.get("/api/ping/")
    return {verdict: checks(verdict) - before[verdict] for verdict in VERDICTS}


def only(verdict: str) -> dict[str, float]:
    return dict.fromkeys(VERDICTS, 0.0) | {verdict: 1.0}


def run(program: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_live_token_is_counted(phone: Device) -> None:
    assert counted(phone) == only("live")


def test_a_stale_token_is_counted(phone: Device) -> None:
    api.revoke_token(phone.access)
    assert counted(phone) == only("stale")


def test_a_revoked_token_is_counted(phone: Device) -> None:
    api.end_session(phone.session_id)
    assert counted(phone) == only("revoked")


def test_a_check_that_could_not_be_made_is_counted(
    phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any) -> None:
        raise Unavailable("the database is away")

    monkeypatch.setattr(DatabaseBackend, "check", fail)
    assert counted(phone) == only("unavailable")


def test_what_is_no_token_of_ours_is_not_checked(anonymous: Any, db: None) -> None:
    before = [checks(verdict) for verdict in VERDICTS]
    anonymous.get("/api/ping/", HTTP_AUTHORIZATION="Bearer junk")
    assert [checks(verdict) for verdict in VERDICTS] == before


def test_every_backend_s_checks_are_counted_in_one_place(phone: Device, settings: Any) -> None:
    path = "jwt_revoke.backends.stateless.StatelessBackend"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}
    before = checks("live")
    authenticate_token(phone.access)
    assert checks("live") == before + 1


def test_a_verdict_of_a_site_s_own_backend_is_counted_too() -> None:
    metrics.checked("quarantined")
    assert checks("quarantined") == 1


# --- several processes

WORKER = """
from jwt_revoke import metrics
metrics.checked("live")
metrics.checked("revoked")
metrics.fallbacks.inc()
metrics.log_read_seconds.observe(0.002)
metrics.replica_age_seconds.set({age})
metrics.replica_entries.set({entries})
metrics.log_sequence.set({sequence})
metrics.log_unnumbered.set({unnumbered})
print(__import__("os").getpid())
"""


def test_several_processes_are_summed_up(tmp_path: Path) -> None:
    """As under gunicorn, by the files of ``PROMETHEUS_MULTIPROC_DIR``."""
    folder = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    run(WORKER.format(age=0.2, entries=40, sequence=8, unnumbered=3), **folder)
    run(WORKER.format(age=0.1, entries=50, sequence=9, unnumbered=0), **folder)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, str(tmp_path))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"jwt_revoke_{name}", labels)

    assert value("checks_total", verdict="live") == 2
    assert value("checks_total", verdict="revoked") == 2
    assert value("checks_total", verdict="stale") == 0
    assert value("fallbacks_total") == 2
    assert value("log_read_seconds_count") == 2
    assert value("log_read_seconds_bucket", le="0.0025") == 2
    assert value("replica_age_seconds") == 0.2
    assert value("replica_entries") == 50
    assert (value("log_sequence"), value("log_unnumbered")) == (9, 0)


def test_the_gauges_of_a_process_that_has_gone_are_let_go(tmp_path: Path) -> None:
    pid = run(
        WORKER.format(age=0.2, entries=40, sequence=8, unnumbered=3),
        PROMETHEUS_MULTIPROC_DIR=str(tmp_path),
    )
    multiprocess.mark_process_dead(int(pid), str(tmp_path))
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, str(tmp_path))

    assert registry.get_sample_value("jwt_revoke_replica_age_seconds") is None
    assert registry.get_sample_value("jwt_revoke_fallbacks_total") == 1


# --- without the extra

WITHOUT = """
import sys
sys.modules["prometheus_client"] = None
from jwt_revoke import metrics
metrics.checked("live")
metrics.checked("quarantined")
metrics.fallbacks.inc()
metrics.log_read_seconds.observe(1)
metrics.replica_age_seconds.set(1)
print("nothing happened")
"""


def test_without_prometheus_nothing_is_counted_and_nothing_fails() -> None:
    assert run(WITHOUT) == "nothing happened\n"
