"""What a site installs is what is in the repository."""

from __future__ import annotations

import email
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ["LICENSE", "README.md", "pyproject.toml"]
DATA_FOLDERS = ["locale", "static", "templates"]
IGNORED_CATALOGUE = "jwt_revoke/locale/xx/LC_MESSAGES/django.mo"

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Built from the sdist, as an installer without a wheel would, and from a copy of the tree
    in which git ignores compiled catalogues."""
    tree = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        shutil.copy(ROOT / name, tree)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "jwt_revoke", tree / "jwt_revoke", ignore=ignored)
    (tree / "tests").mkdir()
    (tree / "tests" / "test_nothing.py").touch()
    (tree / ".gitignore").write_text("*.mo\n")
    catalogue = tree / IGNORED_CATALOGUE
    catalogue.parent.mkdir(parents=True)
    catalogue.touch()

    output = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(output), str(tree)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (path,) = output.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_holds_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"jwt_revoke"}


def test_the_wheel_says_that_it_is_typed(wheel: zipfile.ZipFile) -> None:
    assert "jwt_revoke/py.typed" in wheel.namelist()


def test_the_wheel_holds_every_module(wheel: zipfile.ZipFile) -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "jwt_revoke").rglob("*.py")}
    assert modules <= set(wheel.namelist())


@pytest.mark.parametrize("folder", DATA_FOLDERS)
def test_the_wheel_holds_every_data_file(wheel: zipfile.ZipFile, folder: str) -> None:
    files = [path for path in (ROOT / "jwt_revoke" / folder).rglob("*") if path.is_file()]
    assert {str(path.relative_to(ROOT)) for path in files} <= set(wheel.namelist())


def test_every_catalogue_is_compiled(wheel: zipfile.ZipFile) -> None:
    sources = (ROOT / "jwt_revoke" / "locale").rglob("*.po")
    compiled = {str(path.relative_to(ROOT).with_suffix(".mo")) for path in sources}
    assert compiled <= set(wheel.namelist())


def test_a_catalogue_that_git_ignores_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    assert IGNORED_CATALOGUE in wheel.namelist()


def test_the_wheel_holds_the_licence(wheel: zipfile.ZipFile) -> None:
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())


def test_the_metadata_names_the_versions_that_are_tested(wheel: zipfile.ZipFile) -> None:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    metadata = email.message_from_bytes(wheel.read(name))
    assert metadata["Name"] == "django-jwt-revoke"
    assert metadata["Requires-Python"] == ">=3.11"
