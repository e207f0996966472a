"""Invariant 9, for all that the suite does: no test lets a secret be seen anywhere.

Each secret that comes into being is learnt, each place where one could be seen is listened to, and
when a test has ended the one is looked for in the other: what became secret later in the test too.
A finding fails the test, and is not shown itself. ``@pytest.mark.leaks("why", "URL")`` is for one
that shows a secret on purpose, in such places and in no other; it fails where none is found.
"""

from __future__ import annotations

import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from _pytest.capture import CaptureFixture

from .known import Known
from .learning import learn_all
from .sinks import Sinks

_BEFORE = 60
"""Characters shown of what stands before a finding."""
_COUNTED = (
    *("log record", "error report", "page", "URL", "header", "row", "repr"),
    *("output", "warning", "log file"),
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", 'leaks("why", "place"): shows a secret there on purpose')
    config.pluginmanager.register(Totals(), "silence-totals")


def pytest_sessionstart(session: pytest.Session) -> None:
    config = session.config
    # With xdist the tests run in its workers, and in each of them we are once more.
    if hasattr(config, "workerinput") or not config.getoption("tx", None):
        config.pluginmanager.register(Listener(config), "silence-listener")


class Listener:
    """In the process that runs tests."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.known, self.sinks = Known(), Sinks()
        self.characters, self.seconds = 0, 0.0
        self.late: list[str] = []
        self.path: object = None
        learn_all(self.known)
        self.sinks.listen()
        self._listen_to_captured_output()

    def findings(self) -> list[str]:
        """Of what was heard since the last time: each place where a secret was in it."""
        started = time.perf_counter()
        self.sinks.read_on()
        heard, self.sinks.heard = self.sinks.heard, []
        found: dict[str, None] = {}
        for where, text, allowed in dict.fromkeys(heard):
            self.characters += len(text)
            for kind, at in self.known.found_in(text, allowed):
                before = _without_secrets(text[max(0, at - _BEFORE) : at])
                found[f"{kind} in {where}, after {before!r}"] = None
        self.seconds += time.perf_counter() - started
        return list(found)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if item.path != self.path:
            self.path = item.path
            self.known.forget_passwords()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        report: Any = yield
        # What its fixtures did is judged with the test.
        if report.when == "setup" and report.passed:
            return report
        for title, text in report.sections:
            # Those before were looked at, and each record was heard.
            if title.endswith(f"{report.when}") and "log" not in title:
                self.sinks.hear("output", text, title)
        if report.when == "teardown" and item.get_closest_marker("faults"):
            self.sinks.add_files(self.config._tmp_path_factory.getbasetemp())
        found = self.findings()
        leaks = item.get_closest_marker("leaks")
        meant = [one for one in found if leaks and _is_in(leaks.args[1:], one)]
        found = [one for one in found if one not in meant]
        if found:
            said = "A secret was seen (invariant 9):\n" + "\n".join(f"- {one}" for one in found)
            report.sections.append(("Silence", said))
            if report.passed:
                report.outcome, report.longrepr = "failed", said
        elif leaks and not meant and report.when == "call" and report.passed:
            report.outcome = "failed"
            report.longrepr = f"Nothing was seen, and the test is marked: leaks{leaks.args!r}"
        return report

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        """After the test's last report."""
        self.sinks.hear("warning", str(warning_message.message), nodeid)
        self.late += self.findings()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What was said after the last test, and the metrics: labels are never taken back."""
        if "prometheus_client" in sys.modules:
            self.sinks.hear("metrics", sys.modules["prometheus_client"].generate_latest())
        found = self.late + self.findings()
        counts = self.sinks.counts + Counter(
            secrets=len(self.known.seen),
            characters=self.characters,
            milliseconds=int(self.seconds * 1000),
        )
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput["silence"] = [dict(counts), found]
        else:
            self.config.pluginmanager.get_plugin("silence-totals").add(counts, found)

    def _listen_to_captured_output(self) -> None:
        real = CaptureFixture.readouterr

        def readouterr(fixture: Any) -> Any:
            result = real(fixture)
            for text in result:
                self.sinks.hear("output", text, "of the test")
            return result

        CaptureFixture.readouterr = readouterr  # type: ignore[method-assign]  # for good


class Totals:
    """In the process that reports, of all that ran tests."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.found: list[str] = []

    def add(self, counts: dict[str, int], found: list[str]) -> None:
        self.counts.update(counts)
        self.found += found

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        # Of a worker that crashed there is none.
        if "silence" in (output := getattr(node, "workeroutput", {})):
            self.add(*output["silence"])

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.found and not session.exitstatus:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for one in self.found:
            terminalreporter.write_line(f"SILENCE {one}", red=True)
        counts = self.counts
        places = ", ".join(f"{counts[name]:,} {name}s" for name in _COUNTED if counts[name])
        terminalreporter.write_line(
            f"Silence: {counts['secrets']:,} secrets looked for in {places}:"
            f" {counts['characters']:,} characters ({counts['milliseconds'] / 1000:.1f} s)"
        )


def _is_in(places: Iterable[str], finding: str) -> bool:
    return any(f" in {place}" in finding.partition(", after ")[0] for place in places)


def _without_secrets(text: str) -> str:
    """What stands before a part of a token may be another part of it."""
    return re.sub(r"[\w+/.=-]{16,}", "…", text)
