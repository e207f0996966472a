"""Fuzzing that learns which input reaches new code. By hand, never in CI:

    pip install -e .[fuzz]
    python -m tests.fuzz access --seconds 600
    python -m tests.fuzz all --seconds 600       (each target in turn, its share)

Targets: see ``targets.py``. Whatever is raised but what is documented is a defect: the input is
written to ``crash-…`` beside the corpus, which is kept under ``--corpus`` from run to run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

INSTRUMENTED = [
    *("jwt_revoke", "jwt", "json", "rest_framework", "django.http", "django.core.signing"),
    *("django.contrib.sessions", "django.contrib.messages", "django.middleware"),
]
NAMES = ("access", "signed", "refresh", "header", "cookie", "body")


def main() -> int:
    options = arguments()
    if options.target == "all":
        share = max(1, options.seconds // len(NAMES))
        failed = [name for name in NAMES if run_alone(name, share, options.corpus)]
        print("Defects: " + (", ".join(failed) or "none"))
        return 1 if failed else 0
    fuzz(options.target, options.seconds, options.corpus)
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=[*NAMES, "all"])
    parser.add_argument("--seconds", type=int, default=60)
    folder = Path(tempfile.gettempdir()) / "jwt-revoke-corpus"
    parser.add_argument("--corpus", type=Path, default=folder)
    return parser.parse_args()


def run_alone(target: str, seconds: int, corpus: Path) -> int:
    """libFuzzer ends the process."""
    command = [sys.executable, "-m", "tests.fuzz", target, "--seconds", str(seconds)]
    return subprocess.run([*command, "--corpus", str(corpus)], check=False).returncode


def fuzz(target: str, seconds: int, corpus: Path) -> None:
    import atheris

    # Before anything of it is imported: what is imported is told apart by its branches.
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.site import start

        site = start()
        from tests.fuzz import seeds, targets

    folder = corpus / target
    folder.mkdir(parents=True, exist_ok=True)
    beginning = Path(tempfile.mkdtemp(prefix="jwt-revoke-seeds-"))
    for number, data in enumerate(seeds.seeds(target, site)):
        (beginning / f"{number:04}").write_bytes(data)
    words = beginning.with_suffix(".dict")
    words.write_text("".join(f'"{word}"\n' for word in seeds.DICTIONARY))
    run = targets.TARGETS[target](site)
    flags = [
        f"-max_total_time={seconds}",
        f"-dict={words}",
        f"-artifact_prefix={corpus}/",
        *("-max_len=9000", "-timeout=30", "-rss_limit_mb=2048", "-print_final_stats=1"),
    ]
    atheris.Setup([sys.argv[0], *flags, str(folder), str(beginning)], run)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
