"""What a site installs is what is in the repository."""

from __future__ import annotations

import base64
import csv
import email
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ["LICENSE", "README.md", "pyproject.toml"]
DATA_FOLDERS = ["locale", "static", "templates"]
IGNORED_CATALOGUE = "jwt_revoke/locale/xx/LC_MESSAGES/django.mo"
LEFT_LYING = [".env", "jwt_revoke.sqlite3", "signing-key.pem", "jwt_revoke/__pycache__/api.pyc"]
"""What a developer's tree has beside it."""
KINDS = {".css", ".html", ".js", ".mo", ".po", ".py", ".svg", ".typed"}
"""Of the files of the package: no key, database, log, or editor's copy is one."""
SOURCE_DATE = "1767225600"

pytestmark = pytest.mark.packaging


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of sdist and wheel."""
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def sdist(built: Path) -> set[str]:
    """The names in it, without the folder that all are in."""
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def build(folder: Path) -> Path:
    """The wheel from the sdist, as an installer without a wheel would, and that from a copy of the
    tree in which git ignores compiled catalogues."""
    tree = folder / "tree"
    tree.mkdir()
    for name in SOURCES:
        shutil.copy(ROOT / name, tree)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "jwt_revoke", tree / "jwt_revoke", ignore=ignored)
    (tree / "tests").mkdir()
    (tree / "tests" / "test_nothing.py").touch()
    (tree / ".gitignore").write_text("*.mo\n__pycache__/\n")
    for name in [IGNORED_CATALOGUE, *LEFT_LYING]:
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(tree)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": SOURCE_DATE}
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environment)
    return folder


def files_of_the_package() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / "jwt_revoke").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


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


def test_the_wheel_holds_exactly_these_files(wheel: zipfile.ZipFile) -> None:
    """No more, such as bytecode of another machine, than is in the repository."""
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert found == files_of_the_package() | {IGNORED_CATALOGUE}
    about = {name.partition(".dist-info/")[2] for name in wheel.namelist()} - {""}
    assert about == {"METADATA", "RECORD", "WHEEL", "licenses/LICENSE"}


def test_every_file_of_the_package_is_of_a_kind_that_belongs_there() -> None:
    odd = {name for name in files_of_the_package() if Path(name).suffix not in KINDS}
    assert odd == set()


def test_the_record_names_every_file_with_its_hash(wheel: zipfile.ZipFile) -> None:
    """What an installer verifies, and an audit of a site compares."""
    (record,) = [name for name in wheel.namelist() if name.endswith(".dist-info/RECORD")]
    rows = list(csv.reader(wheel.read(record).decode().splitlines()))
    assert {row[0] for row in rows} == set(wheel.namelist())
    for name, digest, size in rows:
        if name != record:
            content = wheel.read(name)
            encoded = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            assert (digest, size) == (f"sha256={encoded.decode()}", str(len(content)))


def test_the_sdist_holds_the_sources_and_nothing_that_lay_beside_them(sdist: set[str]) -> None:
    beside = {".gitignore", "PKG-INFO", "pyproject.toml", "LICENSE", "README.md"}
    tests = {"tests/test_nothing.py"}
    assert sdist == files_of_the_package() | {IGNORED_CATALOGUE} | beside | tests


def test_who_builds_it_again_gets_the_same_bytes(built: Path, tmp_path: Path) -> None:
    """From another copy, at another time: what is on the index can be compared with the source."""
    again = build(tmp_path)
    for name in [path.name for path in built.iterdir() if path.is_file()]:
        assert (again / name).read_bytes() == (built / name).read_bytes(), name
