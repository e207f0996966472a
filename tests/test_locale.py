"""The catalogues: each language has every text, in good form, and compiled as it stands."""

from __future__ import annotations

import gettext
from pathlib import Path

import pytest
from django.utils import translation

from tests.catalogues import PACKAGE, run, template

__all__ = ["template"]

LANGUAGES = ["ar", "de", "es", "fr", "ja", "pt_BR", "ru", "zh_Hans"]

pytestmark = pytest.mark.once
every_language = pytest.mark.parametrize("language", LANGUAGES)


@every_language
def test_every_text_is_translated(language: str, template: Path) -> None:
    compared = run("msgcmp", str(catalogue(language)), str(template))
    assert compared.stderr == ""


@every_language
def test_no_translation_is_left_over(language: str) -> None:
    assert "\n#~ " not in catalogue(language).read_text()


@every_language
def test_placeholders_and_plural_forms_are_right(language: str, template: Path) -> None:
    checked = run("msgfmt", "--check", "--output-file=/dev/null", str(catalogue(language)))
    assert (checked.returncode, checked.stderr) == (0, "")


@every_language
def test_the_compiled_catalogue_is_that_of_the_source(
    language: str, template: Path, tmp_path: Path
) -> None:
    fresh = tmp_path / "django.mo"
    run("msgfmt", f"--output-file={fresh}", str(catalogue(language)))
    assert read(fresh) == read(catalogue(language).with_suffix(".mo"))


@every_language
def test_the_language_is_found_by_its_name(language: str) -> None:
    """A folder of another spelling would never be looked into."""
    with translation.override(translation.to_language(language)):
        assert translation.gettext("Log out everywhere") != "Log out everywhere"


def test_no_language_lacks_a_test() -> None:
    assert sorted(path.name for path in (PACKAGE / "locale").iterdir()) == LANGUAGES


def catalogue(language: str) -> Path:
    return PACKAGE / "locale" / language / "LC_MESSAGES" / "django.po"


def read(compiled: Path) -> dict[object, str]:
    with compiled.open("rb") as file:
        return gettext.GNUTranslations(file)._catalog
