"""Runs the measurements: python -m benchmarks [--only …] [--quick] [--rounds N] [--json FILE]

Everything in one run, on a PostgreSQL and a Redis of its own, each contender in each round and in
random order. Nothing else should run on the machine. An earlier run's numbers are drawn by
python -m benchmarks --from FILE --charts FOLDER.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import random
import secrets
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from benchmarks import environment

PARTS: Final = {
    "check": "check",
    "keys": "keys",
    "http": "throughput",
    "writes": "writes",
    "refusal": "refusal",
    "footprint": "footprint",
    "dashboard": "dashboard",
    "growth": "growth",
    "memory": "memory",
}
"""Name → module. The last leaves a log of a million behind."""
PACKAGES: Final = (
    *("django", "djangorestframework", "pyjwt", "psycopg", "redis", "gunicorn", "uvicorn"),
    *("djangorestframework-simplejwt", "django-rest-knox", "django-allauth"),
    "django-oauth-toolkit",
)


def main() -> int:
    options = parse_arguments()
    if options.earlier:
        return show(json.loads(options.earlier.read_text()), options.charts)
    environment.enter()
    import django

    from tests import services

    with contextlib.ExitStack() as stack:
        # Their thread, which is this one, has to outlive them.
        database = stack.enter_context(services.postgresql())
        redis = stack.enter_context(services.redis("databases 64"))
        prepare_environment(str(database), str(redis))
        django.setup()
        return measure(options)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="may be repeated")
    parser.add_argument("--contender", action="append", help="by name; may be repeated")
    parser.add_argument("--rounds", type=int, help="in place of each part's own number")
    parser.add_argument("--json", type=Path, help="a file for all numbers")
    parser.add_argument("--charts", type=Path, metavar="FOLDER", help="where charts are drawn")
    parser.add_argument(
        *("--from",), dest="earlier", type=Path, metavar="FILE", help="a --json of an earlier run"
    )
    parser.add_argument("--quick", action="store_true", help="see that it works; means nothing")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="of the order")
    options = parser.parse_args()
    options.only = [part for part in PARTS if part in (options.only or PARTS)]
    return options


def prepare_environment(database: str, redis: str) -> None:
    for name in [name for name in os.environ if name.startswith(("DJANGO_", "JWT_REVOKE_"))]:
        del os.environ[name]
    # Or each process would compile anew what was changed since somebody else ran it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ |= {
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "DJANGO_SECRET_KEY": secrets.token_hex(32),
        "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
    }


def measure(options: argparse.Namespace) -> int:
    from django.core.management import call_command

    from benchmarks.content import fill_log, make_users

    plan = make_plan(options)
    call_command("migrate", verbosity=0)
    make_users(plan.users)
    fill_log(plan.log)
    machine = about()
    print(" ".join(f"{name} {value}" for name, value in machine.items()))
    print(f"--seed {options.seed}{', QUICK: the numbers mean nothing' * options.quick}")
    results: dict[str, Any] = {"machine": machine, "seed": options.seed, "quick": options.quick}
    for part in options.only:
        run = import_module(f"benchmarks.{PARTS[part]}").run
        text, results[part] = run_part(run, plan)
        print(f"\n{part}: {text}", flush=True)
        if options.json:  # each time: whoever is interrupted has what there is
            options.json.write_text(json.dumps(results, indent=1) + "\n")
    took = (f"{part} {results[part]['seconds']:.0f}" for part in options.only)
    print(f"\nseconds of each part: {', '.join(took)}")
    show(json.loads(json.dumps(results)), options.charts)  # as from a file: no defaults in it
    return 1 if any("failed" in results[part] for part in options.only) else 0


def show(results: dict[str, Any], folder: Path | None) -> int:
    """What is made of the numbers alone."""
    from benchmarks import charts, targets

    print(f"\n{targets.text(results)}")
    if folder:
        for path in charts.draw(results, folder):
            print(path)
    return 0


def run_part(run: Callable[[Any], tuple[str, Any]], plan: Any) -> tuple[str, dict[str, Any]]:
    from benchmarks.plan import Disturbed
    from benchmarks.processes import complaints
    from benchmarks.quiet import LIMIT

    began = time.monotonic()
    about: dict[str, Any] = {"load_before": os.getloadavg()[0]}
    try:
        text, about["results"] = run(plan)
    except Disturbed as disturbed:
        about["failed"] = str(disturbed)
        text = f"FAILED: {disturbed}"
    about["seconds"] = time.monotonic() - began
    about |= {"repeated": plan.quiet.repeated, "noisy": plan.quiet.noisy}
    plan.quiet.repeated, plan.quiet.noisy = [], []
    about["complaints"] = complaints[:]
    complaints.clear()
    noisy, repeated = len(about["noisy"]), len(about["repeated"])
    said = (
        f"  {about['seconds']:.0f} s. Others used more than {LIMIT:.0%} of the processors in"
        f" {noisy} of the measurements, and in {repeated} that were repeated for it."
    )
    lines = [text, said, *(f"  {line}" for line in about["complaints"][:20])]
    return "\n".join(lines), about


def make_plan(options: argparse.Namespace) -> Any:
    from benchmarks.contenders import CONTENDERS
    from benchmarks.plan import QUICK, QUICK_CONTENDERS, Plan
    from benchmarks.quiet import Quiet

    names = options.contender or (QUICK_CONTENDERS if options.quick else list(CONTENDERS))
    if unknown := set(names) - CONTENDERS.keys():
        sys.exit(f"No contender {', '.join(unknown)}; there are: {'; '.join(CONTENDERS)}")
    return Plan(
        contenders=[CONTENDERS[name] for name in CONTENDERS if name in names],
        rounds=options.rounds,
        random=random.Random(options.seed),
        quiet=Quiet(0 if options.quick else 180),
        **(QUICK if options.quick else {}),
    )


def about() -> dict[str, str]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgresql = cursor.fetchone()[0]
    return {
        "cores": str(os.cpu_count()),
        "python": platform.python_version(),
        **{name: found for name in PACKAGES if (found := installed_version(name))},
        "postgresql": postgresql,
    }


def installed_version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
