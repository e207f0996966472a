"""Node.js with a package of npm's: installed once into the build folder, and quick afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.services.server import ServiceMissing, find_binary

BUILD = Path(__file__).resolve().parents[2] / ".build" / "node"
INSTALLED_WITHIN = 120
ENDS_WITHIN = 60
# Its dependencies' scripts are not ours to run, and a package.json further up is not to be changed.
INSTALL = ["install", "--no-save", "--no-package-lock", "--ignore-scripts", "--loglevel=error"]
INSTALL += ["--no-audit", "--no-fund", "--no-update-notifier", "--prefer-offline"]
# By default a machine without a network would wait for more than a minute.
INSTALL += ["--fetch-retries=2", "--fetch-retry-mintimeout=1000", "--fetch-retry-factor=2"]


@dataclass(frozen=True)
class Node:
    """Runs modules that import what is installed in ``folder``."""

    binary: str
    folder: Path

    def run(self, module: Path, question: Any) -> Any:
        """The JSON that the module prints; its ``process.argv[2]`` is the question, as JSON."""
        done = subprocess.run(
            # Read from standard input it finds packages where it runs, not beside its own file.
            [self.binary, "--input-type=module", "-", json.dumps(question)],
            cwd=self.folder,
            input=module.read_text(),
            capture_output=True,
            text=True,
            timeout=ENDS_WITHIN,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{module.name} failed:\n{done.stderr[-2000:]}")
        return json.loads(done.stdout)


@contextlib.contextmanager
def node(package: str) -> Iterator[Node]:
    """Node.js with that ``name@version``."""
    binary = find_binary("node", package="nodejs")
    npm = find_binary("npm", package="npm")
    yield Node(binary, installed(npm, package))


def installed(npm: str, package: str, build: Path = BUILD) -> Path:
    """Where the package is, whole: the folder gets its name once npm is done with it."""
    folder = build / package
    build.mkdir(parents=True, exist_ok=True)
    with (build / "lock").open("w") as lock:
        # Of processes that come at once the first installs. The kernel lets go when it dies.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=build) as scratch:
                prefix = Path(scratch) / "prefix"
                prefix.mkdir()
                _install(npm, package, prefix)
                prefix.rename(folder)
    return folder


def _install(npm: str, package: str, prefix: Path) -> None:
    try:
        done = subprocess.run(
            [npm, *INSTALL, f"--prefix={prefix}", package],
            cwd=prefix,
            env=os.environ | {"NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALLED_WITHIN,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ServiceMissing(f"npm did not install {package} in time") from None
    if done.returncode:
        why = done.stderr.strip().partition("\n")[0] or f"exit code {done.returncode}"
        raise ServiceMissing(f"npm could not install {package}: {why}")
