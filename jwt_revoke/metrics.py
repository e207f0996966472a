"""Prometheus metrics (the extra ``metrics``); where it is not installed, objects that do nothing.

They are in prometheus_client's default registry, to be exposed as the site exposes its own. Plain
counters, gauges and a histogram, since no other kind works across processes
(``PROMETHEUS_MULTIPROC_DIR``); so the gauges are set by a thread, and not asked for when scraped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

prometheus_client: Any
try:
    import prometheus_client
except ImportError:  # the extra is optional
    prometheus_client = None


class _Nothing:
    """In place of any metric."""

    def labels(self, *_labels: str) -> _Nothing:
        return self

    def inc(self) -> None:
        pass

    def set(self, value: float) -> None:
        pass

    def observe(self, amount: float) -> None:
        pass


def _metric(kind: str, name: str, text: str, *labels: str, **options: Any) -> Any:
    if prometheus_client is None:
        return _Nothing()
    return getattr(prometheus_client, kind)(f"jwt_revoke_{name}", text, labels, **options)


# Which of several processes' values is shown: the worst, and of what they all read from the same
# database the last. "live": a worker that has gone is not counted.
_WORST: Final = "livemax"
_LAST: Final = "livemostrecent"

_checks: Final = _metric("Counter", "checks", "Access tokens checked.", "verdict")
for _verdict in ("stale", "revoked", "unavailable"):
    _checks.labels(_verdict)  # shown as 0 from the start

fallbacks: Final = _metric(
    "Counter", "fallbacks", "Checks answered by the database, the replica not being ready."
)
log_read_seconds: Final = _metric(
    "Histogram",
    "log_read_seconds",
    "How long a read of the revocation log took.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
replica_age_seconds: Final = _metric(
    "Gauge",
    "replica_age_seconds",
    "Age of the process's copy of the log; 0 while nobody asks, +Inf while it cannot be read.",
    multiprocess_mode=_WORST,
)
replica_entries: Final = _metric(
    "Gauge", "replica_entries", "Revocations the process remembers.", multiprocess_mode=_WORST
)
log_sequence: Final = _metric(
    "Gauge", "log_sequence", "Number of the log's newest entry.", multiprocess_mode=_LAST
)
log_unnumbered: Final = _metric(
    "Gauge",
    "log_unnumbered",
    "Entries of the log that wait for their number, counted to 10,000.",
    multiprocess_mode=_LAST,
)


live: Final[Callable[[], object]] = (
    _checks.labels("live").inc if prometheus_client else tuple  # which does nothing, and not slowly
)
"""Count a check that let a token pass. On the path of every request: nothing is looked up."""


def checked(verdict: str) -> None:
    """Count a check that did not."""
    _checks.labels(verdict).inc()
