"""The environment that the measurements run in: ours and the rivals, at the versions of a file.

It imports nothing that has to be installed: it is called in a clean checkout.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import venv
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
FOLDER: Final = ROOT / ".venv-bench"
RIVALS: Final = ROOT / "benchmarks" / "rivals.txt"
_STAMP: Final = FOLDER / ".installed"
_PIN: Final = re.compile(r"^([\w-]+)(?:\[.*\])?==(\S+)$", re.MULTILINE)


def enter() -> None:
    """Go on where all of it is installed, in this process if it is here already."""
    if not is_complete():
        install()
        python = str(FOLDER / "bin" / "python")
        os.execv(python, [python, "-m", "benchmarks", *sys.argv[1:]])


def is_complete() -> bool:
    """Whether this interpreter has every pinned version."""
    try:
        return all(version(name) == pinned for name, pinned in _PIN.findall(RIVALS.read_text()))
    except PackageNotFoundError:
        return False


def install() -> None:
    """Make it; anew after a change of what is to be in it."""
    wanted = hashlib.sha256(RIVALS.read_bytes() + (ROOT / "pyproject.toml").read_bytes())
    if _STAMP.exists() and _STAMP.read_text() == wanted.hexdigest():
        return
    print(f"Installing what is measured into {FOLDER.name}", flush=True)
    venv.create(FOLDER, clear=True, with_pip=True)
    pip = [str(FOLDER / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "-e", f"{ROOT}[bench]", "-r", str(RIVALS)], check=True)
    _STAMP.write_text(wanted.hexdigest())
