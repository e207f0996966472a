"""Runs everything: python -m tests [--only …] [--database …] [--required] [-- pytest arguments]

One process per stage, since a stage differs from the next by its environment:
database, isolation, user model. Without arguments the coverage of all stages
together has to be complete.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO
from xml.etree import ElementTree

from tests import services
from tests.cost import callgrind

ROOT = Path(__file__).resolve().parent.parent
PARTS = ["lint", "cost", "tests", "users", "browser", "faults"]
WITHOUT_TESTS = {"lint", "cost"}
DATABASES = ["sqlite", "postgresql", "mariadb"]
USER_MODELS = ["Member", "ProxyMember", "UUIDMember", "Customer", "Bare"]
SERVERS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "postgresql": services.postgresql,
    "mariadb": services.mariadb,
}
SNAPSHOT_ISOLATION = {"TEST_SNAPSHOT_ISOLATION": "ON"}
READ_COMMITTED = {"TEST_ISOLATION": "read committed"}
"""Django's default. MariaDB's own is REPEATABLE READ, at which what depends on it is run again."""
# Each has a database of its own on the same server.
PARALLEL = ["--numprocesses=auto", "--maxprocesses=4"]
ELSEWHERE = ["tests/faults", "tests/services", "tests/users"]
"""Run by parts of their own."""
# Eight processes each, which keep most of a core busy: more at once answer too late. Handed out one
# by one: by the share, whoever has most of the long ones ends long after the others.
SIDE_BY_SIDE = ["--numprocesses=4", "--dist=load", "--maxschedchunk=1"]
STAGE_LIMIT = 15 * 60
NO_TESTS_COLLECTED = 5

Environment = dict[str, str]


def main() -> int:
    options = parse_arguments()
    # With it set, each process of each stage compiles us again, and pytest rewrites every assert.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jwt-revoke-run-")))
        runner = Runner(options, scratch, stack)
        without_tests = {"lint": [mypy, other_lint], "cost": [cost]}
        lines = [
            line for part, lines in without_tests.items() if part in options.only for line in lines
        ]
        runner.beside(*[partial(line, runner) for line in lines])
        stages = {
            "tests": database_tests,
            "users": user_model_tests,
            "browser": browser_tests,
            "faults": fault_tests,
        }
        for part, stage in stages.items():
            if part in options.only:
                stage(runner)
        coverage(runner)
    return runner.report()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="may be repeated")
    parser.add_argument("--database", action="append", choices=DATABASES, help="may be repeated")
    parser.add_argument(
        "--required",
        action="store_true",
        default=os.environ.get("CI", "").lower() in {"1", "true"},
        help="a missing service is a failure (also: CI=true)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="on the first of the databases alone",
    )
    parser.add_argument(
        "--lean",
        action="store_true",
        help="on SQLite only what no other database runs: another run has had the rest",
    )
    parser.add_argument("pytest", nargs="*", help="after --: handed to pytest")
    options = parser.parse_args()
    options.everything = not (options.database or options.pytest or options.quick)
    options.only = [part for part in PARTS if part in (options.only or PARTS)]
    options.everything &= {"tests", "users", "browser"} <= set(options.only)
    options.database = options.database or DATABASES
    return options


def mypy(runner: Runner) -> None:
    runner.command("mypy", python("mypy"))


def other_lint(runner: Runner) -> None:
    """Together these take about as long as mypy."""
    runner.command("ruff check", [*python("ruff"), "check", "."])
    runner.command("ruff format", [*python("ruff"), "format", "--check", "."])
    runner.command("pip check", [*python("pip"), "check"])
    runner.command("import-linter", [str(Path(sys.executable).with_name("lint-imports"))])
    makemigrations = ["makemigrations", "--check", "--dry-run"]
    # Once for each: a migration must not have one site's user model frozen into it.
    for model in USER_MODELS:
        runner.command(
            f"migrations, {model}",
            [*python("django"), *makemigrations, "--settings", "tests.settings"],
            {"TEST_USER_MODEL": f"accounts.{model}"},
        )
    runner.command(
        "migrations, example", [sys.executable, "example_project/manage.py", *makemigrations]
    )


def cost(runner: Runner) -> None:
    """Instructions and allocations of a check, which must not be more than are stored."""
    try:
        callgrind.find()
    except services.ServiceMissing as missing:
        runner.missing("cost", missing)
        return
    runner.command("cost", python("tests.cost"))


def database_tests(runner: Runner) -> None:
    first, quick = runner.options.database[0], runner.options.quick
    for name in runner.options.database:
        if (quick and name != first) or (environment := runner.database(name)) is None:
            continue
        arguments = [*PARALLEL, *(f"--ignore={folder}" for folder in ELSEWHERE)]
        marks = "not browser" if name == first else "not browser and not packaging and not once"
        usual = environment | (READ_COMMITTED if name == "mariadb" else {})
        # Tracing costs a third of the time, and PostgreSQL's stage reaches almost everything: what
        # these databases alone reach is among what is marked.
        if name == "sqlite" and runner.options.everything:
            own = "once or packaging or database"
            runner.pytest("sqlite, once", ["-m", f"{marks} and ({own})", *arguments], usual)
            marks = f"{marks} and not ({own})"
            if runner.options.lean:
                continue
        measured = name == "postgresql"
        runner.pytest(name, ["-m", marks, *arguments], usual, measured=measured)
        if name == "mariadb":
            marked = ["-m", "database", *arguments]
            changed = environment | SNAPSHOT_ISOLATION
            runner.pytest("mariadb, snapshot isolation", marked, changed)


def user_model_tests(runner: Runner) -> None:
    wanted = ["sqlite"] if runner.options.quick else ["sqlite", "postgresql"]
    # Found here: a server ends with the thread that started it.
    found = {name: runner.database(name) for name in wanted if name in runner.options.database}
    runner.beside(
        *[
            partial(user_models_on, runner, name, environment)
            for name, environment in found.items()
            if environment is not None
        ]
    )


def user_models_on(runner: Runner, name: str, environment: Environment) -> None:
    """One after the other: their tables are in the same database."""
    for model in USER_MODELS:
        runner.pytest(
            f"{model}, {name}",
            [],
            environment | {"TEST_USER_MODEL": f"accounts.{model}"},
            folder="tests/users",
        )


def browser_tests(runner: Runner) -> None:
    try:
        services.chromium()
    except services.ServiceMissing as missing:
        runner.missing("browser", missing)
        return
    allowed = runner.options.database
    name = "postgresql" if "postgresql" in allowed else allowed[0]
    if (environment := runner.database(name)) is not None:
        # The site under test runs in a process of its own; this is where it finds its database.
        environment |= {"BROWSER_DATABASE_URL": environment["DATABASE_URL"]}
        # A file's tests share a site, which takes seconds to start.
        arguments = ["-m", "browser", "--numprocesses=2", "--dist=loadfile"]
        title = f"browser, {name}"
        runner.pytest(title, arguments, environment, folder="tests/browser", measured=False)


def fault_tests(runner: Runner) -> None:
    """They start, break and stop servers of their own."""
    arguments = ["tests/services", *SIDE_BY_SIDE]
    runner.pytest("faults", arguments, {}, folder="tests/faults", measured=False)


def coverage(runner: Runner) -> None:
    """Judged only when all of it ran: half of the stages cannot reach all of the code."""
    if not runner.options.everything:
        return
    if runner.incomplete:
        runner.skipped.append("coverage (needs every service)")
        return
    runner.command("coverage combine", [*python("coverage"), "combine", "--quiet"])
    runner.command("coverage", [*python("coverage"), "report"])


def python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


@dataclass
class Stage:
    name: str
    seconds: float
    result: str


@dataclass
class Runner:
    options: argparse.Namespace
    scratch: Path
    stack: contextlib.ExitStack
    stages: list[Stage] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    incomplete: bool = False
    tests: Counter[str] = field(default_factory=Counter)
    environments: dict[str, Environment | None] = field(default_factory=dict)
    reports: Iterator[int] = field(default_factory=itertools.count)
    in_one_piece: bool = False

    def beside(self, *lines: Callable[[], object]) -> None:
        """At once, for stages that keep one core busy each; each is shown when it has ended."""
        if not lines:
            return
        self.in_one_piece = True
        with ThreadPoolExecutor(len(lines)) as pool:
            for line in [pool.submit(line) for line in lines]:
                line.result()
        self.in_one_piece = False

    def database(self, name: str) -> Environment | None:
        """How a stage finds the database; None if it is missing, which is then noted once."""
        if name not in self.environments:
            self.environments[name] = self._start(name)
        return self.environments[name]

    def _start(self, name: str) -> Environment | None:
        if name == "sqlite":
            return {"DATABASE_URL": f"sqlite:///{self.scratch}/site.sqlite3"}
        try:
            return {"DATABASE_URL": str(self.stack.enter_context(SERVERS[name]()))}
        except services.ServiceMissing as missing:
            self.missing(name, missing)
            return None

    def missing(self, name: str, why: Exception) -> None:
        self.incomplete = True
        if self.options.required:
            self.stages.append(Stage(name, 0, f"FAILED: {why}"))
        else:
            self.skipped.append(f"{name} ({why})")

    def command(self, name: str, command: list[str], environment: Environment | None = None) -> int:
        started = time.monotonic()
        if self.in_one_piece:
            output = self.scratch / f"{next(self.reports)}.txt"
            with output.open("wb") as file:
                code = self._run(command, environment or {}, file)
            print(f"\n=== {name}\n{output.read_text(errors='replace')}", end="", flush=True)
        else:
            print(f"\n=== {name}", flush=True)
            code = self._run(command, environment or {})
        result = "passed" if code == 0 else f"FAILED: exit code {code}"
        self.stages.append(Stage(name, time.monotonic() - started, result))
        return code

    def pytest(
        self,
        name: str,
        arguments: Iterable[str],
        environment: Environment,
        *,
        folder: str = "",
        measured: bool = True,
    ) -> None:
        """A `folder` of tests may still be empty; a database on which nothing ran is a failure.

        Not `measured` is what reaches no code that the other stages do not: coverage takes time.
        """
        if folder and not any((ROOT / folder).rglob("test_*.py")):
            self.skipped.append(f"{name} ({folder} has no tests)")
            return
        report = self.scratch / f"{next(self.reports)}.xml"
        measured &= self.options.everything
        tool = [*python("coverage"), "run", "-m", "pytest"] if measured else python("pytest")
        command = [*tool, f"--junitxml={report}"]
        command += [*([folder] if folder else []), *arguments, *self.options.pytest]
        code = self.command(name, command, environment)
        if code == NO_TESTS_COLLECTED and self.options.pytest:
            # A selection of the developer's own need not match in every stage.
            next(one for one in self.stages if one.name == name).result = "nothing selected"
            return
        counts = read_counts(report)
        if code and not counts["failed"]:
            # Crashed, ran out of time, or nothing was collected: no test says so itself.
            counts["failed"] += 1
        self.tests += counts

    def _run(
        self, command: list[str], environment: Environment, output: IO[bytes] | None = None
    ) -> int:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=output,
            stderr=output and subprocess.STDOUT,
            env=os.environ
            | {"COVERAGE_FILE": str(self.scratch / ".coverage")}
            | ({"TEST_REQUIRED": "1"} if self.options.required else {})
            | environment,
            start_new_session=True,
        )
        try:
            return process.wait(STAGE_LIMIT)
        except subprocess.TimeoutExpired:
            print(f"Not done after {STAGE_LIMIT} seconds.", flush=True)
            return 124
        finally:
            # The whole group: a race's child must not hold locks in the next stage.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def report(self) -> int:
        width = max([len(stage.name) for stage in self.stages], default=0)
        print("\n" + "stage".ljust(width) + "  seconds  result")
        for stage in self.stages:
            print(f"{stage.name.ljust(width)}  {stage.seconds:7.1f}  {stage.result}")
        if self.skipped:
            print("Skipped: " + "; ".join(self.skipped))
        failed = [stage.name for stage in self.stages if stage.result.startswith("FAILED")]
        if failed:
            print("Failed: " + "; ".join(failed))
        count = self.tests
        print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
        ran_nothing = not (set(self.options.only) <= WITHOUT_TESTS or count["passed"])
        return 1 if failed or count["failed"] or ran_nothing else 0


def read_counts(report: Path) -> Counter[str]:
    if not report.exists():
        return Counter()
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    counts: Counter[str] = Counter()
    for suite in suites:
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        counts["failed"] += failed
        counts["skipped"] += skipped
        counts["passed"] += int(suite.get("tests", 0)) - failed - skipped
    return counts


if __name__ == "__main__":
    sys.exit(main())
