"""Signing keys changed in the admin: a page says what will follow, and a POST does it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection
from django.test import Client
from django.utils import timezone

from jwt_revoke import key_compromise, signing_keys
from jwt_revoke.key_sources import lead, overlap
from jwt_revoke.keystore import key_ring
from jwt_revoke.models import DeviceSession, Revocation, SigningKey
from jwt_revoke.standing import live_sessions
from jwt_revoke.testing import Device
from tests.admin.conftest import broken_database, messages_of
from tests.admin.signing import (
    CONFIGURED,
    CREATE,
    LEAK,
    LIST,
    NOTHING_DONE,
    ROTATE,
    TIME,
    USING,
    done,
    of,
    page,
    refresh_kid,
    rotated,
    rows,
    snapshot,
    succeeded_key,
    unreadable,
)
from tests.stored import after, signer

pytestmark = pytest.mark.once

# --- what a page says before anything is done


def test_to_create_a_key_one_chooses_an_algorithm(stored_keys: Any, admin: Client) -> None:
    text = page(admin, CREATE)

    assert "It waits until a rotation takes it" in text
    assert '<option value="ES256" selected>' in text
    assert '<option value="EdDSA">' in text


def test_a_rotation_s_page_says_from_when_the_new_key_signs_and_the_old_one_verifies(
    stored_keys: Any, admin: Client
) -> None:
    rotated()

    response = admin.get(ROTATE)
    text = response.content.decode()

    begins, ends = response.context["begins"], response.context["ends"]
    assert lead() - 5 < (begins - timezone.now()).total_seconds() <= lead()
    assert (ends - begins).total_seconds() == overlap()
    assert f"It signs from {begins:{TIME}} on; what signs until then verifies until" in text
    assert f"until {ends:{TIME}}, and retires" in text


def test_a_rotation_s_page_names_the_oldest_key_of_each_algorithm_that_waits(
    stored_keys: Any, admin: Client
) -> None:
    older, _younger = signing_keys.create(USING), signing_keys.create(USING)
    after(hours=1)
    other = signing_keys.create(USING, "EdDSA")

    response = admin.get(ROTATE)
    text = response.content.decode()

    taken = {plan["key"].kid: plan["begins"] for plan in response.context["taken"]}
    assert list(taken) == [older.kid, other.kid]
    assert taken[older.kid] < response.context["begins"]  # published long ago: it signs at once
    assert f"ES256: {older.kid} signs from {taken[older.kid]:{TIME}} on" in text
    assert f"EdDSA: {other.kid} signs from {taken[other.kid]:{TIME}} on" in text


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
def test_a_rotation_does_what_its_page_says(
    stored_keys: Any, admin: Client, algorithm: str
) -> None:
    waiting = signing_keys.create(USING)
    context = admin.get(ROTATE).context
    said = context["taken"][0]["begins"] if algorithm == "ES256" else context["begins"]

    admin.post(ROTATE, {"algorithm": algorithm})

    key = SigningKey.objects.exclude(not_before=None).get()
    assert (key.pk == waiting.pk) == (algorithm == "ES256")
    assert abs((key.not_before - said).total_seconds()) < 5


def test_a_rotation_s_page_says_that_one_is_under_way(stored_keys: Any, admin: Client) -> None:
    coming = signing_keys.rotate(USING).key

    assert f"under way already: {coming.kid} signs from" in page(admin, ROTATE)


def test_to_retire_a_key_that_waits_says_that_it_signed_nothing(
    stored_keys: Any, admin: Client
) -> None:
    key = signing_keys.create(USING)

    text = page(admin, of(key.kid, "retire"))

    assert f"{key.kid} (ES256) will verify nothing any more" in text
    assert "It has signed no token." in text
    assert 'name="force"' not in text


def test_to_retire_a_key_whose_tokens_may_live_says_until_when(
    stored_keys: Any, admin: Client
) -> None:
    key = succeeded_key()

    text = page(admin, of(key.kid, "retire"))

    assert f"may live until {key.verifies_until:{TIME}}" in text
    assert 'name="force"' in text


def test_a_key_that_signs_has_no_button_to_retire_it(stored_keys: Any, admin: Client) -> None:
    text = page(admin, of(rotated().kid, "retire"))

    assert "only a stored key that neither signs nor is to sign can be retired" in text
    assert 'value="Retire the key"' not in text


def test_to_mark_a_key_says_how_many_live_sessions_it_affects(
    stored_keys: Any, admin: Client, phone: Device, laptop: Device
) -> None:
    DeviceSession.objects.filter(pk=phone.session_id).update(ended_at="2026-01-01T00:00Z")

    text = page(admin, of(CONFIGURED, "compromised"))

    assert f"{CONFIGURED} (HS256) will verify nothing any more, anywhere." in text
    assert "1 live session is affected." in text
    assert '<input type="radio" name="effect" value="access"' in text
    assert '<input type="radio" name="effect" value="session"' in text


NEW_KEY = "A new key is stored, and signs at once."
GOES_ON = "The key that signs goes on."
ANOTHER = "Another key of the settings or files goes on."


def test_to_mark_the_key_that_signs_says_that_a_new_one_does(
    stored_keys: Any, admin: Client
) -> None:
    text = page(admin, of(rotated().kid, "compromised"))

    assert NEW_KEY in text
    assert 'name="algorithm"' in text
    assert "Whoever verifies by jwks.json believes it" in text


def test_to_mark_the_key_of_the_settings_that_signs_says_that_a_new_one_does(
    stored_keys: Any, admin: Client
) -> None:
    signing_keys.create(USING)
    text = page(admin, of(CONFIGURED, "compromised"))

    assert NEW_KEY in text
    assert "jwks.json" not in text


def test_to_mark_another_key_says_that_the_one_that_signs_goes_on(
    stored_keys: Any, admin: Client
) -> None:
    old, waiting = succeeded_key(), signing_keys.create(USING)

    for kid in (old.kid, waiting.kid, CONFIGURED):
        text = page(admin, of(kid, "compromised"))
        assert GOES_ON in text
        assert 'name="algorithm"' not in text


def test_to_mark_a_key_that_waits_says_that_the_settings_key_goes_on(
    stored_keys: Any, admin: Client
) -> None:
    waiting = signing_keys.create(USING)

    assert GOES_ON in page(admin, of(waiting.kid, "compromised"))


def test_to_mark_a_key_where_none_are_stored_says_that_another_has_to_be_there(
    admin: Client,
) -> None:
    text = page(admin, of(CONFIGURED, "compromised"))

    assert ANOTHER in text
    assert 'name="algorithm"' not in text


def test_to_mark_a_refresh_key_says_that_everybody_signs_in_again(
    stored_keys: Any, admin: Client
) -> None:
    text = page(admin, of(refresh_kid(), "compromised"))

    assert "all sessions end, and everybody signs in again" in text
    assert ANOTHER in text
    assert 'name="effect"' not in text


def test_to_mark_a_key_again_says_that_it_is_marked(stored_keys: Any, admin: Client) -> None:
    key = rotated()
    key_compromise.compromise(USING, key.kid, LEAK)

    assert f"{key.kid} is marked as compromised already" in page(admin, of(key.kid, "compromised"))


# --- doing it


def assert_history(boss: Any, kid: str, text: str) -> None:
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.action_flag) == (boss, kid, CHANGE)
    assert entry.get_change_message() == text


def test_a_key_is_created(stored_keys: Any, admin: Client, boss: Any) -> None:
    text = done(admin, CREATE)

    key = SigningKey.objects.get()
    assert (key.algorithm, key.not_before) == ("ES256", None)
    assert text == f"“{key.kid}” is created and published. It signs after a rotation."
    assert_history(boss, key.kid, "Created.")


def test_a_key_is_created_of_the_algorithm_that_was_chosen(stored_keys: Any, admin: Client) -> None:
    done(admin, CREATE, algorithm="EdDSA")

    assert SigningKey.objects.get().algorithm == "EdDSA"


def test_an_unknown_algorithm_is_refused_by_the_form(stored_keys: Any, admin: Client) -> None:
    response = admin.post(CREATE, {"algorithm": "none"})

    assert "none is not one of the available choices" in response.content.decode()
    assert not SigningKey.objects.exists()


def test_keys_are_rotated(stored_keys: Any, admin: Client, boss: Any) -> None:
    text = done(admin, ROTATE)

    key = SigningKey.objects.get()
    assert text == (
        f"“{key.kid}” signs from {key.not_before:{TIME}} on; the others retire by themselves."
    )
    assert_history(boss, key.kid, "To sign next.")


def test_the_message_s_time_is_local(stored_keys: Any, admin: Client) -> None:
    with timezone.override("Asia/Kolkata"):
        text = done(admin, ROTATE)
        begins = timezone.localtime(SigningKey.objects.get().not_before)

    assert f"signs from {begins:{TIME}} on" in text


def test_keys_are_rotated_without_time_zones(stored_keys: Any, admin: Client) -> None:
    stored_keys.USE_TZ = False

    assert "signs from" in done(admin, ROTATE)


def test_a_rotation_under_way_is_not_begun_again(stored_keys: Any, admin: Client) -> None:
    coming = signing_keys.rotate(USING).key
    before = snapshot()

    text = done(admin, ROTATE)

    assert text == f"Under way already: “{coming.kid}” signs from {coming.not_before:{TIME}} on."
    assert snapshot() == before


def test_a_key_that_waits_is_retired(stored_keys: Any, admin: Client, boss: Any) -> None:
    key = signing_keys.create(USING)

    assert done(admin, of(key.kid, "retire")) == f"“{key.kid}” is retired."
    key.refresh_from_db()
    assert (key.private, key.verifies_until is None) == ("", False)
    assert_history(boss, key.kid, "Retired.")


def test_a_key_whose_tokens_may_live_is_retired_if_that_is_meant(
    stored_keys: Any, admin: Client
) -> None:
    key = succeeded_key()
    before = snapshot()

    assert "Tokens that it signed may live until" in done(admin, of(key.kid, "retire"))
    assert snapshot() == before
    assert done(admin, of(key.kid, "retire"), force="on") == f"“{key.kid}” is retired."
    assert key_ring().find(key.kid) is None


def test_the_key_that_signs_is_not_retired(stored_keys: Any, admin: Client) -> None:
    key = rotated()
    before = snapshot()

    text = done(admin, of(key.kid, "retire"), force="on")

    assert text.startswith("That key signs, or is to sign")
    assert snapshot() == before


def test_a_key_of_the_settings_is_not_retired(stored_keys: Any, admin: Client) -> None:
    text = done(admin, of(CONFIGURED, "retire"), force="on")

    assert text == "There is no stored key of that id which could be retired."


def test_a_key_is_marked_as_compromised(
    stored_keys: Any, admin: Client, boss: Any, user: Any
) -> None:
    lost = rotated()
    device = Device(user)

    text = done(admin, of(lost.kid, "compromised"), effect="access")

    assert text == f"“{lost.kid}” verifies nothing any more, and everybody’s tokens are revoked."
    assert key_ring().find(lost.kid) is None
    assert key_ring().signing.algorithm == "ES256"
    device.refresh_tokens()  # it goes on
    assert device.standing == "live"
    assert_history(boss, lost.kid, "Compromised.")


def test_the_log_names_who_marked_it_and_why(stored_keys: Any, admin: Client, boss: Any) -> None:
    done(admin, of(rotated().kid, "compromised"), effect="access", note="In a public repository.")

    entry = Revocation.objects.get()
    assert (entry.scope, entry.effect, entry.reason) == ("everyone", "access", "key_compromised")
    assert (entry.actor, entry.note) == (str(boss.pk), "In a public repository.")


def test_sessions_end_where_that_was_chosen(stored_keys: Any, admin: Client, phone: Device) -> None:
    done(admin, of(CONFIGURED, "compromised"), effect="session")

    assert not live_sessions(USING).exists()


def test_the_new_key_is_of_the_algorithm_that_was_chosen(stored_keys: Any, admin: Client) -> None:
    done(admin, of(CONFIGURED, "compromised"), effect="access", algorithm="EdDSA")

    assert signer().algorithm == "EdDSA"


def test_a_refresh_key_is_marked(stored_keys: Any, admin: Client, boss: Any) -> None:
    stored_keys.JWT_REVOKE = {
        **stored_keys.JWT_REVOKE,
        "REFRESH_KEYS": ["r" * 32, "s" * 32],
    }
    lost = refresh_kid()

    done(admin, of(lost, "compromised"))

    assert Revocation.objects.get().effect == "session"
    assert refresh_kid() != lost
    assert_history(boss, lost, "Compromised.")


def test_a_key_of_the_settings_is_marked_where_none_are_stored(
    settings: Any, admin: Client
) -> None:
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "SIGNING_KEYS": ["n" * 32, *settings.JWT_REVOKE["SIGNING_KEYS"]],
    }

    done(admin, of(CONFIGURED, "compromised"), effect="access")

    assert rows(admin)[CONFIGURED].state == "compromised"


def test_the_only_key_of_the_settings_is_not_marked(admin: Client) -> None:
    before = snapshot()

    text = done(admin, of(CONFIGURED, "compromised"), effect="access")

    assert text.startswith("It is the only key there")
    assert snapshot() == before


def test_a_key_is_not_marked_twice(stored_keys: Any, admin: Client) -> None:
    key = rotated()
    key_compromise.compromise(USING, key.kid, LEAK)
    before = snapshot()

    assert done(admin, of(key.kid, "compromised"), effect="access") == (
        f"“{key.kid}” was marked before."
    )
    assert snapshot() == before


@pytest.mark.parametrize("data", [{}, {"effect": "all"}, {"effect": "access", "note": "n" * 256}])
def test_a_mistake_in_the_form_is_shown_and_nothing_is_done(
    stored_keys: Any, admin: Client, data: dict[str, str]
) -> None:
    before = snapshot()

    response = admin.post(of(CONFIGURED, "compromised"), data)

    assert 'class="errorlist"' in response.content.decode()
    assert snapshot() == before


@pytest.mark.parametrize("method", ["get", "post"])
def test_keys_that_are_not_stored_are_not_changed_here(
    stored_keys: Any, admin: Client, method: str
) -> None:
    waiting = signing_keys.create(USING)
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_STORE": "settings"}
    before = snapshot()

    for address in [CREATE, ROTATE, of(waiting.kid, "retire")]:
        response = getattr(admin, method)(address, follow=True)
        assert messages_of(response) == ["Only keys that are kept in the database change here."]
    assert snapshot() == before


def test_without_an_encryption_key_nothing_is_stored_and_the_reason_is_shown(
    stored_keys: Any, admin: Client
) -> None:
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_ENCRYPTION_KEYS": []}

    assert done(admin, CREATE) == "JWT_REVOKE['KEY_ENCRYPTION_KEYS'] is empty"
    assert not SigningKey.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_mistake_in_the_settings_leads_to_the_list_which_shows_it(
    stored_keys: Any, admin: Client, method: str
) -> None:
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "SIGNING_KEYS": ["short"]}

    response = getattr(admin, method)(ROTATE, follow=True)

    assert response.redirect_chain == [(LIST, 302)]
    assert "not a key for ES256" in response.content.decode()


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("kid", ["nobody-s", "%00", "a/b", "9" * 400])
@pytest.mark.parametrize("what", ["retire", "compromised"])
def test_an_unknown_key_is_404(
    stored_keys: Any, admin: Client, what: str, kid: str, method: str
) -> None:
    response = getattr(admin, method)(f"{LIST}{kid}/{what}/", {"effect": "access"})

    assert response.status_code == 404


@pytest.mark.django_db(transaction=True)
def test_while_the_database_does_not_answer_nothing_is_done_and_it_is_said(
    stored_keys: Any, admin: Client
) -> None:
    waiting = signing_keys.create(USING)
    before = snapshot()

    with broken_database():
        for address in [
            *(CREATE, ROTATE, of(waiting.kid, "retire")),
            *(of(kid, "compromised") for kid in (waiting.kid, CONFIGURED)),
        ]:
            assert done(admin, address, effect="access") == NOTHING_DONE

    assert snapshot() == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["signing_key", "device_session"])
def test_a_page_that_cannot_be_shown_for_want_of_the_database_says_so(
    stored_keys: Any, admin: Client, table: str
) -> None:
    with unreadable(table):
        response = admin.get(of(CONFIGURED, "compromised"))

    assert (response.status_code, response.headers["Location"]) == (302, LIST)
    assert messages_of(admin.get(LIST)) == [NOTHING_DONE]


@pytest.mark.django_db(transaction=True)
def test_a_refusal_is_told_where_each_request_is_a_transaction(
    stored_keys: Any, admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    key = rotated()

    assert done(admin, of(key.kid, "retire")).startswith("That key signs")
