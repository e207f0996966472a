"""The red button: superusers alone, after a page that says what it does and a word to type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Permission
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from django.utils import translation
from django.utils.functional import lazy

from jwt_revoke.admin import DeviceSessionAdmin, RevocationAdmin
from jwt_revoke.insights import LiveSessions
from jwt_revoke.models import DeviceSession, Generation, Revocation
from jwt_revoke.testing import Device
from tests.admin.conftest import broken_database, browser_of, messages_of
from tests.conftest import make_user

pytestmark = pytest.mark.once

PAGE = "/admin/jwt_revoke/revocation/everyone/"
LOG = "/admin/jwt_revoke/revocation/"
ENTERED = {"effect": "session", "reason": "other", "note": "", "word": "everyone"}

ELSEWHERE = django_admin.AdminSite("elsewhere")
ELSEWHERE.register(Revocation, RevocationAdmin)
WITHOUT_LIST = django_admin.AdminSite("without-list")


class NoList(RevocationAdmin):
    """Has left all pages out but ours."""

    def get_urls(self) -> list[Any]:
        return [url for url in super().get_urls() if str(url.name).endswith("_everyone")]


WITHOUT_LIST.register(Revocation, NoList)
WITHOUT_LOG = django_admin.AdminSite("without-log")
WITHOUT_LOG.register(DeviceSession, DeviceSessionAdmin)
urlpatterns = [
    path("", include("tests.admin.urls")),
    path("elsewhere/", ELSEWHERE.urls),
    path("without-list/", WITHOUT_LIST.urls),
    path("without-log/", WITHOUT_LOG.urls),
]


def shown(client: Client, address: str = PAGE) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def press(client: Client, **entered: str) -> Any:
    return client.post(PAGE, {**ENTERED, **entered}, follow=True)


def errors_of(response: Any) -> dict[str, list[str]]:
    """The page again: what it says at which field."""
    assert response.status_code == 200
    assert response.redirect_chain == []
    errors: dict[str, list[str]] = response.context["fieldset"].form.errors
    return errors


# --- what it says


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 live sessions are affected."),
        (1, "1 live session is affected."),
        (3, "3 live sessions are affected."),
    ],
)
def test_it_says_how_many_sessions_live(admin: Client, user: Any, count: int, words: str) -> None:
    for _number in range(count):
        Device(user)

    assert words in shown(admin)


def test_it_says_so_where_the_number_is_an_estimate(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimate = LiveSessions(1_020_000, is_exact=False)
    monkeypatch.setattr("jwt_revoke.admin.everyone.live_session_count", lambda using: estimate)

    assert "About 1,020,000 live sessions are affected." in shown(admin)


def test_to_look_is_not_to_do(admin: Client, phone: Device) -> None:
    shown(admin)

    assert phone.standing == "live"
    assert not Revocation.objects.exists()


def test_it_ends_sessions_unless_told_otherwise_and_guesses_no_reason(admin: Client) -> None:
    form = admin.get(PAGE).context["fieldset"].form

    assert form["effect"].initial == "session"
    assert form["reason"].initial == "other"
    assert form["word"].initial is None


def test_a_browser_is_asked_not_to_remember_the_word(admin: Client) -> None:
    (field,) = [part for part in shown(admin).split("<input") if 'name="word"' in part]

    assert 'autocomplete="off"' in field


def test_it_leads_to_the_keys_since_a_stolen_one_is_another_matter(admin: Client) -> None:
    assert 'href="/admin/jwt_revoke/signingkey/"' in shown(admin)


# --- what it does


def test_everybody_s_sessions_end(admin: Client, phone: Device) -> None:
    other = Device(make_user("bob"))

    response = press(admin)

    assert [device.standing for device in (phone, other)] == ["revoked", "revoked"]
    assert response.redirect_chain == [(LOG, 302)]
    assert messages_of(response) == ["Everybody is logged out: all sessions have ended."]


def test_or_everybody_s_devices_refresh(admin: Client, phone: Device) -> None:
    response = press(admin, effect="access")

    assert phone.standing == "stale"
    phone.refresh_tokens()
    assert phone.standing == "live"
    assert messages_of(response) == [
        "All access tokens are revoked. Devices refresh by themselves."
    ]


def test_who_signs_in_afterwards_is_let_in(admin: Client, user: Any) -> None:
    press(admin)

    assert Device(user).standing == "live"


def test_the_log_says_who_did_it_and_why(admin: Client, boss: Any) -> None:
    press(admin, reason="maintenance", note="New data centre")

    entry = Revocation.objects.get()
    assert (entry.scope, entry.effect, entry.reason) == ("everyone", "session", "maintenance")
    assert (entry.actor, entry.note) == (str(boss.pk), "New data centre")


def test_who_pressed_it_stays_in_the_admin(admin: Client) -> None:
    press(admin)

    assert admin.get("/admin/").status_code == 200


def test_pressed_twice_it_is_done_twice(admin: Client, phone: Device) -> None:
    press(admin)
    first = Generation.objects.get().value
    press(admin)

    assert Generation.objects.get().value > first
    assert phone.standing == "revoked"


# --- the word


@pytest.mark.parametrize("typed", ["EVERYONE", " Everyone ", "everyone"])
def test_the_word_may_be_in_capitals_and_among_blanks(
    admin: Client, phone: Device, typed: str
) -> None:
    press(admin, word=typed)

    assert phone.standing == "revoked"


@pytest.mark.parametrize(
    ("typed", "error"),
    [
        ("everybody", "This is not “everyone”. Nobody was logged out."),
        ("every one", "This is not “everyone”. Nobody was logged out."),
        ("everyone!", "This is not “everyone”. Nobody was logged out."),
        ("", "This field is required."),
        (" ", "This field is required."),
        ("\0", "Null characters are not allowed."),
        ("x" * 51, "Ensure this value has at most 50 characters (it has 51)."),
    ],
)
def test_with_any_other_word_nothing_is_done(
    admin: Client, phone: Device, typed: str, error: str
) -> None:
    response = press(admin, word=typed, note="kept")

    assert errors_of(response) == {"word": [error]}
    assert phone.standing == "live"
    assert 'value="kept"' in response.content.decode()


@pytest.fixture
def word_in_german(monkeypatch: pytest.MonkeyPatch) -> None:
    def word() -> str:
        return "alle" if translation.get_language() == "de" else "everyone"

    monkeypatch.setattr("jwt_revoke.admin.everyone.WORD", lazy(word, str)())


@pytest.mark.usefixtures("word_in_german")
def test_the_word_is_in_the_language_of_the_page(admin: Client, phone: Device) -> None:
    with translation.override("de"):
        assert errors_of(press(admin)).keys() == {"word"}
        assert phone.standing == "live"
        press(admin, word="Alle")
    assert phone.standing == "revoked"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("effect", ""),
        ("effect", "token"),
        ("reason", ""),
        ("reason", "device_lost"),  # nobody lost everybody's device
        ("reason", "<script>"),
        ("note", "x" * 256),
    ],
)
def test_nothing_is_done_on_what_makes_no_sense(
    admin: Client, phone: Device, field: str, value: str
) -> None:
    response = press(admin, **{field: value})

    assert errors_of(response).keys() == {field}
    assert phone.standing == "live"


def test_what_was_typed_is_escaped(admin: Client) -> None:
    text = press(admin, note="<script>alert(1)</script>", word="<b>").content.decode()

    assert "<script>alert" not in text
    assert "<b>" not in text


# --- who may


def test_every_permission_is_not_enough(phone: Device) -> None:
    person = make_user("staff", is_staff=True)
    person.user_permissions.set(Permission.objects.all())
    client = browser_of(person)

    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, ENTERED).status_code == 403
    assert phone.standing == "live"


@pytest.mark.parametrize("address", ["/admin/", "/admin/jwt_revoke/"])
def test_it_is_in_the_index_for_superusers_alone(admin: Client, address: str) -> None:
    person = make_user("staff", is_staff=True)
    person.user_permissions.set(Permission.objects.all())

    assert f'href="{PAGE}"' in shown(admin, address)
    assert PAGE not in shown(browser_of(person), address)


# --- where it stands


def test_a_site_without_the_log_has_no_link_to_it(settings: Any, admin: Client) -> None:
    settings.ROOT_URLCONF = __name__

    text = shown(admin, "/without-log/")

    assert "/without-log/jwt_revoke/devicesession/" in text
    assert "Log everybody out" not in text


def test_it_stays_on_its_site(settings: Any, admin: Client, phone: Device) -> None:
    settings.ROOT_URLCONF = __name__

    text = shown(admin, "/elsewhere/jwt_revoke/revocation/everyone/")
    response = admin.post("/elsewhere/jwt_revoke/revocation/everyone/", ENTERED)

    assert 'href="/admin/' not in text
    assert "signingkey" not in text  # this site has no such page
    assert response.headers["Location"] == "/elsewhere/jwt_revoke/revocation/"


def test_a_site_without_the_list_is_begun_anew(settings: Any, admin: Client) -> None:
    settings.ROOT_URLCONF = __name__

    response = admin.post("/without-list/jwt_revoke/revocation/everyone/", ENTERED)

    assert response.headers["Location"] == "/without-list/"


# --- the database


def test_the_number_of_statements_does_not_depend_on_the_sessions(admin: Client, user: Any) -> None:
    press(admin)  # the first makes the one row of the generation
    counts = []
    for devices in (1, 30):
        for _number in range(devices):
            Device(user)
        with CaptureQueriesContext(connection) as looking:
            shown(admin)
        with CaptureQueriesContext(connection) as pressing:
            admin.post(PAGE, ENTERED)
        counts.append((len(looking), len(pressing)))

    assert counts[0] == counts[1]


@pytest.mark.django_db(transaction=True)
def test_when_the_database_fails_the_page_is_there_again(admin: Client, phone: Device) -> None:
    with broken_database():
        response = press(admin, note="kept")

    assert response.redirect_chain == []
    assert messages_of(response) == ["The database did not answer. Nothing was done: try again."]
    assert 'value="kept"' in response.content.decode()
    assert phone.standing == "live"


@contextmanager
def uncountable() -> Iterator[None]:
    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "jwt_revoke_device_session" in sql:
            raise OperationalError("canceling statement due to statement timeout")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(refuse):
        yield


@pytest.mark.django_db(transaction=True)
def test_it_works_although_the_sessions_cannot_be_counted(admin: Client, phone: Device) -> None:
    with uncountable():
        text = shown(admin)
        press(admin)

    assert "could not be counted" in text
    assert phone.standing == "revoked"
