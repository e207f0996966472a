"""Who opens what in the admin, and who acts there: every page of ours, every method, everybody.

``PAGES`` is the table. A page that is not in it fails the first test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin as django_admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, resolve, reverse
from django.utils import timezone

from jwt_revoke import api, signing_keys
from jwt_revoke.models import ReplicaProcess, Revocation
from jwt_revoke.testing import Device
from tests.admin.conftest import CHANGE_USERS, LOG_OUT, VIEW_USERS, browser_of
from tests.admin.signing import USING
from tests.conftest import make_user

pytestmark = pytest.mark.once

VIEW: Final = (
    *(VIEW_USERS, "jwt_revoke.view_devicesession"),
    *("jwt_revoke.view_revocation", "jwt_revoke.view_replicaprocess"),
)
END: Final = "jwt_revoke.end_devicesession"
STAFF: Final[Mapping[str, tuple[str, ...]]] = {
    "without permission": (),
    "viewer": VIEW,
    "may act, but not change users": (*VIEW, END, LOG_OUT),
    "may act and change users": (*VIEW, END, LOG_OUT, CHANGE_USERS),
}
BOSS: Final = "superuser"
PEOPLE: Final = [*STAFF, BOSS]
NOBODY: Final[frozenset[str]] = frozenset()
EVERYBODY: Final = frozenset(PEOPLE)
VIEWERS: Final = EVERYBODY - {"without permission"}
ENDERS: Final = VIEWERS - {"viewer"}
LOGGERS_OUT: Final = ENDERS - {"may act, but not change users"}
SUPERUSERS: Final = frozenset({BOSS})
METHODS: Final = ("get", "post", "head", "options", "put", "patch", "delete")


@dataclass(frozen=True)
class Page:
    """Where it is, who opens it, and whose POST of ``data`` acts. Everybody else is refused."""

    path: str
    opened_by: frozenset[str] = NOBODY
    acted_by: frozenset[str] = NOBODY
    data: Mapping[str, str] = field(default_factory=dict)
    is_read_only: bool = False
    """Whether a POST is refused to those too who open it."""
    is_a_file: bool = False
    """Whether there is nothing but the GET."""
    refusal: str = "refused"

    def answer(self, who: str, method: str) -> str:
        """What the table says of it, in a word."""
        if method == "post" and who in self.acted_by:
            return "acts"
        if who not in self.opened_by or (method == "post" and self.is_read_only):
            return self.refusal
        return "405" if self.is_a_file and method != "get" else "opens"


def django_s(model: str, row: str, viewers: frozenset[str] = VIEWERS) -> dict[str, Page]:
    """The pages that Django makes for each model: to look at, and nothing else."""
    name, path = f"jwt_revoke_{model}", f"/admin/jwt_revoke/{model}/"
    return {
        f"{name}_changelist": Page(path, viewers),
        f"{name}_add": Page(f"{path}add/"),
        f"{name}_change": Page(f"{path}{row}/change/", viewers, is_read_only=True),
        f"{name}_history": Page(f"{path}{row}/history/", viewers),
        f"{name}_delete": Page(f"{path}{row}/delete/"),
        # Sends everybody on to the page above, whatever the row.
        f"{name} <path:object_id>/": Page(f"{path}{row}/", EVERYBODY),
    }


def export_to(file_format: str) -> Page:
    path = f"/admin/jwt_revoke/revocation/export/{file_format}/"
    return Page(path, VIEWERS, is_a_file=True)


def of_keys(path: str, **data: str) -> Page:
    return Page(f"/admin/jwt_revoke/signingkey/{path}", SUPERUSERS, SUPERUSERS, data)


WHY: Final = {"effect": "session", "reason": "other", "note": ""}
PAGES: Final[Mapping[str, Page]] = {
    "app_list": Page("/admin/jwt_revoke/", VIEWERS, refusal="404"),
    **django_s("devicesession", "{session}"),
    "jwt_revoke_devicesession_changelist": Page(
        "/admin/jwt_revoke/devicesession/",
        VIEWERS,
        ENDERS,
        {"action": "end_sessions", "_selected_action": "{session}"},
    ),
    **django_s("revocation", "{entry}"),
    "jwt_revoke_revocation_export_csv": export_to("csv"),
    "jwt_revoke_revocation_export_jsonl": export_to("jsonl"),
    "jwt_revoke_revocation_everyone": Page(
        "/admin/jwt_revoke/revocation/everyone/", SUPERUSERS, SUPERUSERS, WHY | {"word": "everyone"}
    ),
    **django_s("replicaprocess", "{process}"),
    **django_s("signingkey", "{key}", SUPERUSERS),
    "jwt_revoke_signingkey_create": of_keys("create/"),
    "jwt_revoke_signingkey_rotate": of_keys("rotate/"),
    "jwt_revoke_signingkey_retire": of_keys("{key}/retire/"),
    "jwt_revoke_signingkey_compromised": of_keys("{key}/compromised/", effect="session"),
    "accounts_member_log_out_everywhere": Page(
        "/admin/accounts/member/{user}/log-out-everywhere/", LOGGERS_OUT, LOGGERS_OUT, WHY
    ),
    "accounts_member_end_session": Page(
        "/admin/accounts/member/{user}/sessions/{session}/end/", LOGGERS_OUT, LOGGERS_OUT, WHY
    ),
    "action of the list of users": Page(
        "/admin/accounts/member/",
        VIEWERS,
        LOGGERS_OUT,
        {
            "action": "log_out_selected",
            "_selected_action": "{user}",
            "jwt_revoke_confirmed": "yes",
            **WHY,
        },
    ),
}
"""By the name of the URL, or by its model and route where it has none."""
USERS: Final = "/admin/accounts/member/"
NOT_A_URL: Final = {"action of the list of users"}
OF_A_ROW: Final = {name: page for name, page in PAGES.items() if "{" in page.path}
UNKNOWN: Final = {
    "user": "987654321",
    "session": str(uuid4()),
    "entry": "987654321",
    "process": str(uuid4()),
    "key": "unknown",
}


@pytest.fixture
def rows(stored_keys: Any, user: Any, phone: Device) -> dict[str, str]:
    """One of each that a page could be of, by the names that paths give them."""
    api.revoke_user(make_user("bob"))
    now = timezone.now()
    process = ReplicaProcess.objects.create(
        id=uuid4(),
        host="web-1",
        pid=1,
        log="database",
        started_at=now,
        seen_at=now,
        max_staleness=0.25,
        entries=0,
        fallbacks=0,
        reads=1,
    )
    return {
        "user": str(user.pk),
        "session": str(phone.session_id),
        "entry": str(Revocation.objects.get().pk),
        "process": str(process.pk),
        "key": quote(signing_keys.create(USING).kid),
    }


@pytest.fixture(params=PEOPLE)
def who(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def person_called(who: str) -> Any:
    person = make_user("staff", is_staff=True, is_superuser=who == BOSS)
    for name in STAFF.get(who, ()):
        app, codename = name.split(".")
        person.user_permissions.add(
            Permission.objects.get(content_type__app_label=app, codename=codename)
        )
    return person


def collected() -> Iterator[str]:
    """The URLs that are in the admin because of us."""
    yield "app_list"
    for model, model_admin in django_admin.site._registry.items():
        if model._meta.app_label == "jwt_revoke":
            yield from names(model, model_admin.get_urls())
    # An admin's class knows nothing of what the instance was equipped with.
    users = django_admin.site.get_model_admin(get_user_model())
    plain = set(names(get_user_model(), type(users).get_urls(users)))
    yield from set(names(get_user_model(), users.get_urls())) - plain


def names(model: Any, patterns: list[URLPattern]) -> Iterator[str]:
    for pattern in patterns:
        yield pattern.name or f"{model._meta.label_lower.replace('.', '_')} {pattern.pattern}"


def everything() -> list[Any]:
    """Every row that any of the pages could change; by SQL, since it is asked for 2,000 times."""
    ours = apps.get_app_config("jwt_revoke").get_models()
    found = []
    with connection.cursor() as cursor:
        for model in (*ours, LogEntry, get_user_model()):
            table, key = model._meta.db_table, model._meta.pk.column
            cursor.execute(f'SELECT * FROM "{table}" ORDER BY "{key}"')
            found.append(cursor.fetchall())
    return found


def told(
    client: Client, method: str, pages: Mapping[str, Page], rows: Mapping[str, str]
) -> dict[str, str]:
    """What comes of it on each page, in a word; what it did is undone."""
    answers = {}
    before = everything()
    for name, page in pages.items():
        data = {key: text.format(**rows) for key, text in page.data.items()}
        with transaction.atomic():
            response = getattr(client, method)(page.path.format(**rows), data)
            has_acted = everything() != before
            transaction.set_rollback(True)
        answers[name] = "acts" if has_acted else word_for(response)
    return answers


def word_for(response: Any) -> str:
    if response.headers.get("Location", "").startswith(reverse("admin:login")):
        return "log-in"
    words = {200: "opens", 302: "opens", 403: "refused"}
    return words.get(response.status_code, str(response.status_code))


def test_every_page_is_in_the_table(db: None) -> None:
    assert set(collected()) == PAGES.keys() - NOT_A_URL


def test_each_path_is_that_of_the_name(rows: dict[str, str]) -> None:
    for name, page in PAGES.items():
        if name in NOT_A_URL or " " in name:
            continue
        found = [word.strip("{}") for word in page.path.split("/") if word.startswith("{")]
        args = ["jwt_revoke"] if name == "app_list" else [rows[word] for word in found]
        assert reverse(f"admin:{name}", args=args) == page.path.format(**rows)


def test_what_a_page_of_ours_does_is_never_undone_by_a_site_s_transaction(
    rows: dict[str, str],
) -> None:
    """Invariant 2: with ATOMIC_REQUESTS too."""
    django_s_own = ("changelist", "add", "change", "delete", "history", "list")
    ours = [page for name, page in PAGES.items() if not name.endswith(django_s_own)]
    views = [resolve(p.path.format(**rows)).func for p in ours if p.path != USERS and p.acted_by]

    assert len(views) > 5
    assert [view for view in views if USING not in view._non_atomic_requests] == []


@pytest.mark.parametrize("method", METHODS)
def test_each_person_does_what_the_table_says(who: str, rows: dict[str, str], method: str) -> None:
    answers = told(browser_of(person_called(who)), method, PAGES, rows)

    assert answers == {name: page.answer(who, method) for name, page in PAGES.items()}


def test_a_post_without_a_token_against_forgery_is_refused(who: str, rows: dict[str, str]) -> None:
    client = browser_of(person_called(who), enforce_csrf_checks=True)

    assert told(client, "post", PAGES, rows) == dict.fromkeys(PAGES, "refused")


@pytest.mark.parametrize("method", METHODS)
def test_who_is_not_logged_in_is_sent_to_the_log_in(
    client: Client, rows: dict[str, str], method: str
) -> None:
    assert told(client, method, PAGES, rows) == dict.fromkeys(PAGES, "log-in")


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_superuser_who_is_no_staff_is_sent_to_the_log_in(
    rows: dict[str, str], method: str
) -> None:
    client = browser_of(make_user("boss", is_superuser=True))

    assert told(client, method, PAGES, rows) == dict.fromkeys(PAGES, "log-in")


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_may_not_look_is_not_told_whether_there_is_such_a_row(
    who: str, rows: dict[str, str], method: str
) -> None:
    closed = {name: page for name, page in OF_A_ROW.items() if who not in page.opened_by}

    answers = told(browser_of(person_called(who)), method, closed, rows | UNKNOWN)

    assert answers == dict.fromkeys(closed, "refused")
