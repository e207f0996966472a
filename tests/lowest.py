"""The least version of each package that the project depends on: python tests/lowest.py

As constraints for pip, which by itself only ever takes the newest; "make test LOWEST=1" installs
them. What is in no site that is run (the tools, the demo, the benchmarks) is left to pip. Alone in
a new environment: nothing is imported that has to be installed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
NOT_OF_A_SITE = {"demo", "bench", "dev", "fuzz"}
"""Extras that a site does not install to be run."""
_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[\w,-]+\])?>=(\d+(?:\.\d+)*)")


def lowest(project: dict[str, Any]) -> dict[str, str]:
    """Name → least version, of the dependencies and of each extra of a site.

    Raises ``ValueError`` for a requirement that names none, or says more than that.
    """
    extras = project["optional-dependencies"]
    wanted = list(project["dependencies"])
    wanted += [one for extra, ones in extras.items() if extra not in NOT_OF_A_SITE for one in ones]
    found = {}
    for requirement in wanted:
        match = _REQUIREMENT.fullmatch(requirement)
        if match is None:
            raise ValueError(f"{requirement!r} is not of the form name>=version")
        found[match[1]] = match[2]
    return found


def read_project() -> dict[str, Any]:
    """The table ``[project]`` of ours."""
    project: dict[str, Any] = tomllib.loads(PYPROJECT.read_text())["project"]
    return project


if __name__ == "__main__":
    sys.stdout.writelines(
        f"{name}=={version}\n" for name, version in lowest(read_project()).items()
    )
