from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.faults import totals
from tests.faults.crew import Nursery, make_site
from tests.faults.site import Site, replica
from tests.services.postgresql import PostgreSQL
from tests.services.starting import redis, start, started

__all__ = ["redis", "start"]

PURE = ("test_intervals", "test_refusals", "test_rotations", "test_totals")
"""Of functions alone: no process, no second."""


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What PostgreSQL holds of a site that has been made: tables and users.

    Made for each test, that was a quarter of what the test asks of the processors.
    """
    folder = tmp_path_factory.mktemp("made")
    with started(services.postgresql(keep=folder)) as server:
        nursery = Nursery(Site(server.url, replica("database")), folder)
        try:
            make_site(nursery)
        finally:
            nursery.close()
    return folder


@pytest.fixture
def database(start: Any, made: Path) -> PostgreSQL:
    """With the site in it."""
    server: PostgreSQL = start(services.postgresql(like=made))
    return server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.stem not in PURE:
            item.add_marker(pytest.mark.faults)


@pytest.fixture(autouse=True)
def _counted(request: pytest.FixtureRequest) -> Iterator[None]:
    """What the test's runs did goes with its report, which reaches whoever prints the log."""
    totals.judged.clear()
    yield
    request.node.user_properties += [(totals.PROPERTY, run) for run in totals.judged]


reported: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "teardown":
        reported.extend(run for name, run in report.user_properties if name == totals.PROPERTY)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if reported:
        terminalreporter.section("fault runs")
        for line in totals.table(reported):
            terminalreporter.write_line(line)
