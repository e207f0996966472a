"""Signing keys in the admin: superusers alone see how each stands, and nothing that is secret."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from django.utils import timezone, translation

from jwt_revoke import key_compromise, signing_keys
from jwt_revoke.admin import SigningKeyAdmin
from jwt_revoke.encryption import decrypt
from jwt_revoke.key_sources import lead
from jwt_revoke.models import SigningKey
from tests.admin.conftest import browser_of, messages_of
from tests.admin.signing import (
    CONFIGURED,
    CREATE,
    LEAK,
    LIST,
    NOTHING_DONE,
    ROTATE,
    USING,
    done,
    of,
    page,
    refresh_kid,
    rows,
    snapshot,
    succeeded_key,
    unreadable,
)
from tests.conftest import make_user
from tests.stored import after, signer

pytestmark = pytest.mark.once

ELSEWHERE = django_admin.AdminSite("elsewhere")
ELSEWHERE.register(SigningKey, SigningKeyAdmin)
urlpatterns = [path("", include("tests.admin.urls")), path("elsewhere/", ELSEWHERE.urls)]


@pytest.fixture
def one_of_each(stored_keys: Any, db: None) -> list[str]:
    """Where something can be done: with a key that signs, one that verifies and one that waits."""
    old = succeeded_key()
    waiting = signing_keys.create(USING)
    return [
        *(CREATE, ROTATE, of(waiting.kid, "retire"), of(old.kid, "retire")),
        *(of(kid, "compromised") for kid in (signer().kid, old.kid, CONFIGURED, refresh_kid())),
    ]


# --- the list


def test_it_is_in_the_index_for_a_superuser(admin: Client) -> None:
    assert f'href="{LIST}"' in page(admin, "/admin/")


def test_all_keys_are_listed_wherever_they_are_kept(stored_keys: Any, admin: Client) -> None:
    key = signing_keys.create(USING)

    found = rows(admin)

    kept = {kid: (row.key.algorithm, row.kept, row.state) for kid, row in found.items()}
    assert kept == {
        CONFIGURED: ("HS256", "settings", "signs"),
        key.kid: ("ES256", "database", "waits"),
        refresh_kid(): ("refresh", "settings", "signs"),
    }


def test_the_page_shows_a_row_s_words(stored_keys: Any, admin: Client) -> None:
    key = signing_keys.create(USING)

    text = page(admin).replace("<wbr>", "")

    for words in [f">{key.kid}</a>", "<td>ES256</td>", "<td>database</td>", "<td>waits</td>"]:
        assert words in text


def test_it_lists_the_keys_of_a_site_that_stores_none(admin: Client) -> None:
    assert {row.kept for row in rows(admin).values()} == {"settings"}


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata"])
def test_terms_are_in_local_time(stored_keys: Any, admin: Client, zone: str) -> None:
    key = succeeded_key()

    with timezone.override(zone):
        text = page(admin)
        moments = [key.not_before, key.signs_until, key.verifies_until]
        local = [timezone.localtime(moment) for moment in moments]

    for moment in local:
        assert f'<span class="nowrap">{moment:%Y-%m-%d}</span> {moment:%H:%M}' in text
    assert f"the time zone {zone}." in text


def test_every_key_that_is_not_marked_can_be_marked(stored_keys: Any, admin: Client) -> None:
    lost = succeeded_key()
    key_compromise.compromise(USING, lost.kid, LEAK)

    links = {kid: row.compromised for kid, row in rows(admin).items()}

    assert links.pop(lost.kid) == ""
    assert links == {kid: of(kid, "compromised") for kid in links}
    assert {signer().kid, CONFIGURED, refresh_kid()} == set(links)


def test_only_a_stored_key_that_does_not_sign_can_be_retired(
    stored_keys: Any, admin: Client
) -> None:
    old, waiting = succeeded_key(), signing_keys.create(USING)

    links = {kid: row.retire for kid, row in rows(admin).items() if row.retire}

    assert links == {kid: of(kid, "retire") for kid in (old.kid, waiting.kid)}


def test_no_other_key_can_be_retired(stored_keys: Any, admin: Client) -> None:
    gone, lost = signing_keys.create(USING), signing_keys.create(USING)
    signing_keys.retire(USING, gone.kid)
    key_compromise.compromise(USING, lost.kid, LEAK)
    signing_keys.rotate(USING)
    after(seconds=lead() + 1)
    signing_keys.rotate(USING)

    found = rows(admin).values()

    states = {(row.key.origin, row.state) for row in found}
    assert states >= {("database", "signs"), ("database", "to sign"), ("settings", "verifies")}
    assert {row.state for row in found} >= {"retired", "compromised"}
    assert [row.retire for row in found if row.retire] == []


def test_where_keys_are_stored_they_can_be_created_and_rotated(
    stored_keys: Any, admin: Client
) -> None:
    text = page(admin)

    assert f'href="{CREATE}"' in text
    assert f'href="{ROTATE}"' in text


def test_where_keys_are_not_stored_the_page_says_what_to_do_instead(admin: Client) -> None:
    text = page(admin)

    assert "The keys are in the settings or in files, and change there" in text
    assert CREATE not in text
    assert ROTATE not in text
    assert of(CONFIGURED, "compromised") in text


def test_keys_stored_before_cannot_be_retired_where_keys_are_not_stored(
    stored_keys: Any, admin: Client
) -> None:
    waiting = signing_keys.create(USING)
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_STORE": "settings"}

    row = rows(admin)[waiting.kid]

    assert (row.state, row.retire, row.compromised) == (
        *("not in use", ""),
        of(waiting.kid, "compromised"),
    )


def test_a_mistake_in_the_settings_is_shown(settings: Any, admin: Client) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SIGNING_KEYS": ["short"]}

    text = page(admin)

    assert "JWT_REVOKE[&#x27;SIGNING_KEYS&#x27;]: too short for HS256" in text
    assert 'id="result_list"' not in text


@pytest.mark.django_db(transaction=True)
def test_while_the_database_does_not_answer_the_page_says_so(
    stored_keys: Any, admin: Client
) -> None:
    with unreadable():
        response = admin.get(LIST)

    assert messages_of(response) == [NOTHING_DONE]


def test_the_number_of_queries_does_not_depend_on_the_keys(stored_keys: Any, admin: Client) -> None:
    signing_keys.create(USING)
    with CaptureQueriesContext(connection) as few:
        assert len(rows(admin)) == 3
    for _number in range(20):
        signing_keys.create(USING)
    with CaptureQueriesContext(connection) as many:
        assert len(rows(admin)) == 23

    assert len(many) == len(few)


def test_the_number_of_queries_of_a_rotation_s_page_does_not_depend_on_the_keys(
    stored_keys: Any, admin: Client
) -> None:
    signing_keys.create(USING)
    with CaptureQueriesContext(connection) as few:
        page(admin, ROTATE)
    for _number in range(20):
        signing_keys.create(USING)
    with CaptureQueriesContext(connection) as many:
        page(admin, ROTATE)

    assert len(many) == len(few)


@pytest.mark.parametrize("address", ["", "rotate/"])
def test_the_page_stays_on_the_second_site(stored_keys: Any, admin: Client, address: str) -> None:
    stored_keys.ROOT_URLCONF = __name__
    signing_keys.create(USING)

    text = page(admin, f"/elsewhere/jwt_revoke/signingkey/{address}")

    assert 'href="/elsewhere/jwt_revoke/signingkey/' in text
    assert 'href="/admin/' not in text


def test_the_breadcrumbs_are_marked_up_as_django_s(admin: Client) -> None:
    marks = ['<ol class="breadcrumbs">', '<div class="breadcrumbs">']
    django_s = page(admin, "/admin/jwt_revoke/revocation/")
    ours = page(admin)

    assert [mark in ours for mark in marks] == [mark in django_s for mark in marks]


# --- a key's own page


def test_a_key_s_page_shows_its_public_part(stored_keys: Any, admin: Client) -> None:
    key = signing_keys.create(USING)

    assert "&quot;crv&quot;: &quot;P-256&quot;" in page(admin, of(key.kid, "change"))


def test_nothing_of_a_private_key_is_on_any_page(
    stored_keys: Any, admin: Client, one_of_each: list[str]
) -> None:
    signing_keys.create(USING, "HS512")
    keys = list(SigningKey.objects.exclude(private=""))
    own = [of(key.kid, what) for key in keys for what in ("change", "history", "compromised")]
    pages = "".join(page(admin, address) for address in [LIST, *own, *one_of_each])

    assert len(keys) == 4
    for key in keys:
        material = decrypt(key.private)
        secret = material if key.algorithm == "HS512" else material.splitlines()[1]
        assert key.private not in pages
        assert secret not in pages
    assert "gAAAA" not in pages  # how Fernet's tokens begin
    assert "PRIVATE" not in pages


@pytest.mark.parametrize("what", ["change", "delete"])
def test_not_even_a_superuser_edits_or_deletes_a_key(
    stored_keys: Any, admin: Client, what: str
) -> None:
    key = signing_keys.create(USING)
    before = snapshot()

    response = admin.post(of(key.kid, what), {"kid": "other", "post": "yes"})

    assert response.status_code == 403
    assert snapshot() == before


def test_not_even_a_superuser_adds_a_key_by_hand(stored_keys: Any, admin: Client) -> None:
    assert admin.get(LIST + "add/").status_code == 403
    assert admin.post(LIST + "add/", {"kid": "mine", "algorithm": "HS256"}).status_code == 403
    assert not SigningKey.objects.exists()


# --- by what request, and who may


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "patch", "delete"])
def test_nothing_but_a_post_acts(admin: Client, one_of_each: list[str], method: str) -> None:
    before = snapshot()

    for address in one_of_each:
        getattr(admin, method)(address, {"effect": "session", "force": "on"})

    assert snapshot() == before


def test_a_post_needs_a_token_against_forgery(boss: Any, one_of_each: list[str]) -> None:
    client = browser_of(boss, enforce_csrf_checks=True)
    before = snapshot()

    for address in one_of_each:
        response = client.post(address, {"effect": "session", "force": "on"})
        assert response.status_code == 403

    assert snapshot() == before


def test_a_page_has_the_token(stored_keys: Any, boss: Any) -> None:
    client = browser_of(boss, enforce_csrf_checks=True)
    token = client.get(CREATE).context["csrf_token"]

    client.post(CREATE, {"csrfmiddlewaretoken": str(token)})

    assert SigningKey.objects.exists()


@pytest.fixture
def everywhere(one_of_each: list[str]) -> list[str]:
    kid = signer().kid
    own = [of(kid, what) for what in ("change", "history", "delete")]
    return [LIST, LIST + "add/", *own, of("unknown", "history"), CREATE, *one_of_each]


@pytest.mark.parametrize("method", ["get", "post", "head", "options", "put", "patch", "delete"])
def test_staff_with_every_permission_are_refused_everywhere(
    everywhere: list[str], method: str
) -> None:
    person = make_user("staff", is_staff=True)
    person.user_permissions.set(Permission.objects.all())
    client = browser_of(person)
    before = snapshot()

    for address in everywhere:
        response = getattr(client, method)(address, {"effect": "session", "force": "on"})
        assert response.status_code == 403, address

    assert snapshot() == before


def test_staff_with_every_permission_see_no_link_to_it(db: None) -> None:
    person = make_user("staff", is_staff=True)
    person.user_permissions.set(Permission.objects.all())

    text = page(browser_of(person), "/admin/")

    assert "/admin/jwt_revoke/revocation/" in text
    assert LIST not in text


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_superuser_who_is_no_staff_has_to_log_in(everywhere: list[str], method: str) -> None:
    client = browser_of(make_user("boss", is_superuser=True))
    before = snapshot()

    for address in everywhere:
        response = getattr(client, method)(address, {"effect": "session"})
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/admin/login/")

    assert snapshot() == before


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_is_not_logged_in_has_to(client: Client, everywhere: list[str], method: str) -> None:
    before = snapshot()

    for address in everywhere:
        response = getattr(client, method)(address, {"effect": "session"})
        assert response.headers["Location"].startswith("/admin/login/")

    assert snapshot() == before


@pytest.mark.parametrize(
    ("fields", "may"),
    [
        ({"is_superuser": True, "is_active": True}, True),
        ({"is_superuser": True}, True),
        ({"is_superuser": True, "is_active": False}, False),
        ({"is_superuser": False, "is_active": True}, False),
        ({}, False),
    ],
)
def test_a_user_model_without_superusers_has_nobody_who_may(
    fields: dict[str, bool], may: bool
) -> None:
    request = HttpRequest()
    request.user = type("Person", (), fields)()
    model_admin = django_admin.site.get_model_admin(SigningKey)

    assert model_admin.has_view_permission(request) is may
    assert model_admin.has_module_permission(request) is may


# --- in German


def test_the_pages_speak_german(stored_keys: Any, admin: Client) -> None:
    key = signing_keys.create(USING)
    with translation.override("de"):
        listed = page(admin)
        asked = page(admin, of(key.kid, "compromised"))
        said = done(admin, CREATE)

    for words in ["Signaturschlüssel", "Schlüssel erstellen", "wartet", "Datenbank", "Prüft bis"]:
        assert words in listed
    assert "0 aktive Sitzungen sind betroffen." in asked
    assert "Sitzungen enden; alle melden sich neu an." in asked
    assert "ist erstellt und veröffentlicht" in said
