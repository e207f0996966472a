"""Every text that a page of ours shows can be translated: none is left outside of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import django
import pytest
from django.test import Client
from django.utils import translation

from jwt_revoke import api, key_listing
from jwt_revoke.keys import ASYMMETRIC, SYMMETRIC
from jwt_revoke.models import Revocation
from jwt_revoke.testing import Device
from tests.admin.conftest import browser_of, change_page
from tests.admin.signing import USING
from tests.admin.test_permissions import PAGES, WHY, rows
from tests.catalogues import run, template

__all__ = ["rows", "template"]

pytestmark = pytest.mark.once

DJANGO = Path(django.__file__).parent
DJANGO_S = [DJANGO / name for name in ("conf", "contrib/admin", "contrib/auth")]
MARKED = re.compile("⟦[^⟦⟧]*⟧")
READ_OUT = ["alt", "aria-label", "placeholder", "title", "value"]
DATA = {
    "alice",
    "bob",
    "database",
    "phone",
    "Phone/1",
    "refresh",
    "revoked",
    "Search",
    "user",
    "web-1",
}
DATA |= {*SYMMETRIC, *ASYMMETRIC}
VOID = {"br", "col", "hr", "img", "input", "link", "meta", "path", "rect", "use", "wbr"}
DATA_IN = {"bdi", "option", "progress", "time"}
"""What these say by their attributes is data."""
SILENT = {"script", "style"}
OURS = {"app_list", "accounts_member_log_out_everywhere", "accounts_member_end_session"}
OURS |= {name for name in PAGES if name.startswith("jwt_revoke_") and " " not in name}
# The public key of one of them is data; "Search" beside a list is Django's own, and unmarked.
OURS -= {"jwt_revoke_signingkey_change"}
OURS -= {name for name in PAGES if name.endswith(("_add", "_delete", "_history", "csv", "jsonl"))}


class Content(HTMLParser):
    """What one reads, or hears, within the element of an id or a class."""

    def __init__(self, within: str) -> None:
        super().__init__()
        self.within, self.texts, self.path = within, [], []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        names = {found.get("id"), *(found.get("class") or "").split()}
        if tag not in VOID:
            inside = self.inside or self.within in names
            self.path.append((tag, inside and tag not in SILENT))
        is_typed = tag == "input" and found.get("type") != "submit"
        if self.inside and not is_typed and tag not in DATA_IN:
            self.texts += [found[key] or "" for key in READ_OUT if key in found]

    def handle_endtag(self, tag: str) -> None:
        while self.path and self.path.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.inside and self.path[-1][0] not in {"bdi", "code"}:
            self.texts.append(data)

    @property
    def inside(self) -> bool:
        return bool(self.path) and self.path[-1][1]


@pytest.fixture(scope="module")
def bracketed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a language in which all that we or Django translate stands in brackets."""
    root = tmp_path_factory.mktemp("bracketed")
    folder = root / "xx" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    english, bracketed = root / "en.po", folder / "django.po"
    texts = [template, *(root / "locale/en/LC_MESSAGES/django.po" for root in DJANGO_S)]
    for command in [
        ["msgcat", "--use-first", f"--output-file={english}", *map(str, texts)],
        ["sed", "-i", "s/nplurals=INTEGER; plural=EXPRESSION;/nplurals=2; plural=n!=1;/", english],
        ["msgen", f"--output-file={english}", english],
        ["msgfilter", "--keep-header", f"-i{english}", f"-o{bracketed}", "sed", "s/.*/⟦&⟧/"],
        ["msgfmt", f"--output-file={bracketed.with_suffix('.mo')}", bracketed],
    ]:
        done = run(*map(str, command))
        assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def marked(bracketed: Path, settings: Any) -> Iterator[None]:
    """That language is spoken."""
    settings.LOCALE_PATHS = [bracketed]
    with translation.override("xx"):
        yield


def unmarked(response: Any, within: str, data: set[str]) -> list[str]:
    content = Content(within)
    content.feed(response.content.decode())
    known = re.compile("|".join(map(re.escape, sorted(data, key=len, reverse=True))))
    text = known.sub("", "\n".join(content.texts))
    while text != (text := MARKED.sub("", text)):
        pass
    assert content.texts, f"nothing is within {within}"
    return re.findall(r"[^\W\d_]{2,}[^\n]*", text)


@pytest.fixture
def boss_s_browser(marked: None, boss: Any) -> Client:
    return browser_of(boss)


@pytest.mark.parametrize("name", sorted(OURS))
def test_a_page_has_no_text_that_cannot_be_translated(
    name: str, boss_s_browser: Client, rows: Any
) -> None:
    kids = [key.kid for key in key_listing.listed(USING)]
    data = {*DATA, *rows.values(), *kids, str(Revocation.objects.get().uid)}
    data |= {part for kid in kids for part in (kid[:22], kid[22:]) if part}
    response = boss_s_browser.get(PAGES[name].path.format(**rows))
    assert unmarked(response, "content", data) == []


def test_the_panel_on_a_user_s_page_has_none(
    boss_s_browser: Client, user: Any, phone: Device
) -> None:
    api.revoke_session(Device(user).session_id)
    response = boss_s_browser.get(change_page(user))
    assert unmarked(response, "jwt-revoke-panel", DATA) == []


@pytest.mark.parametrize("confirmed", [{}, {"jwt_revoke_confirmed": "yes", **WHY}])
def test_the_pages_of_a_run_over_many_users_have_none(
    confirmed: Any, boss_s_browser: Client, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_revoke.admin.bulk_logout.PAGE", 1)
    chosen = {"action": "log_out_selected", "select_across": "1", "_selected_action": [user.pk]}
    response = boss_s_browser.post("/admin/accounts/member/", chosen | confirmed)
    assert unmarked(response, "content", DATA) == []


def test_the_devices_page_has_none(boss_s_browser: Client, boss: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.urls"
    Device(boss)
    response = boss_s_browser.get("/account/devices/")
    assert unmarked(response, "jwt-revoke-devices", DATA) == []
