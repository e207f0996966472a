"""What the README tells a newcomer to paste is what works."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls.resolvers import URLResolver

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[str]:
    found = re.findall(r"^( *)```python\n(.*?)^\1```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(code) for _, code in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_example_is_python(page: Path) -> None:
    for code in blocks(page):
        compile(code, page.name, "exec")


def test_the_three_edits_are_the_ones_of_a_site_that_works() -> None:
    site: dict[str, Any] = {"INSTALLED_APPS": [], "urlpatterns": []}
    for code in blocks(ROOT / "README.md")[:3]:
        exec(code, site)
    assert set(site["INSTALLED_APPS"]) <= set(settings.INSTALLED_APPS)
    ours = settings.REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"]
    assert site["REST_FRAMEWORK"]["DEFAULT_AUTHENTICATION_CLASSES"] == ours
    (included,) = site["urlpatterns"]
    assert isinstance(included, URLResolver)
    assert included.namespace == "jwt_revoke"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_link_leads_nowhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
