"""Stored keys from the cradle to the grave (s34), or compromised (s10)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import keys, keystore, signing_keys
from jwt_revoke.encryption import decrypt
from jwt_revoke.exceptions import TokenRefused
from jwt_revoke.key_sources import lead, overlap
from jwt_revoke.keystore import key_ring, refresh_key_ring
from jwt_revoke.log import Cause
from jwt_revoke.models import Generation, Revocation, SigningKey
from jwt_revoke.signing_keys import KeyRefused, compromise, create, retire, rotate
from jwt_revoke.testing import Device
from tests.stored import after, signer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored_keys")]

USING = "default"
LEAK = Cause("key_compromised")


def rotated(**options):
    """The key of a rotation that is over."""
    key = rotate(USING, **options).key
    after(seconds=lead() + overlap() + 1)
    return key


def may_refresh(device):
    try:
        device.refresh_tokens()
    except TokenRefused:
        return False
    return True


def kids():
    keystore.forget_keys()
    return [key.kid for key in key_ring().keys]


# --- create


def test_a_new_key_is_published_and_does_not_sign():
    before = kids()
    key = create(USING)
    assert kids() == [*before, key.kid]


def test_the_private_part_is_encrypted(stored_keys):
    """Invariant 9: a dump of the database signs nothing."""
    key = create(USING)
    assert "PRIVATE" not in key.private
    assert "PRIVATE" in decrypt(key.private)
    assert "PRIVATE" not in repr(key) + str(key)
    assert '"d"' not in key.public


def test_a_shared_secret_has_no_public_part():
    key = create(USING, "HS512")
    assert (key.algorithm, key.public) == ("HS512", "")


def test_no_id_of_a_new_key_looks_like_an_option(monkeypatch):
    found = [keys.Key(kid, "HS512", b"", b"") for kid in ("-lost", "-F", "fine")]
    monkeypatch.setattr(signing_keys, "load_key", lambda *_: found.pop(0))
    assert create(USING, "HS512").kid == "fine"


def test_no_key_is_made_without_a_usable_encryption_key(stored_keys):
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_ENCRYPTION_KEYS": []}
    with pytest.raises(KeyRefused, match="KEY_ENCRYPTION_KEYS"):
        create(USING)
    assert not SigningKey.objects.exists()


@pytest.mark.parametrize("store", ["settings", "files"])
@pytest.mark.parametrize("change", [create, rotate])
def test_keys_that_are_elsewhere_are_changed_there(stored_keys, store, change):
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_STORE": store}
    with pytest.raises(KeyRefused, match="KEY_STORE"):
        change(USING)


# --- rotate


def test_the_configured_key_signs_until_the_first_stored_one_does(user):
    phone, (configured,) = Device(user), kids()
    key = rotate(USING).key
    assert kids() == [configured, key.kid]
    after(seconds=lead() + 1)
    assert kids() == [key.kid, configured]
    assert phone.standing == "live"
    phone.refresh_tokens()
    after(seconds=overlap())
    assert kids() == [key.kid]
    assert phone.standing == "live"


def test_a_rotation_publishes_signs_overlaps_and_retires():
    old = rotated()
    new = rotate(USING).key
    assert kids() == [old.kid, new.kid]
    after(seconds=lead() + 1)
    assert kids() == [new.kid, old.kid]
    after(seconds=overlap())
    assert kids() == [new.kid]


def test_a_process_keeps_to_the_terms_without_reading_again(monkeypatch, django_assert_num_queries):
    """No one has to come back at the right moment."""
    old = rotated()
    new = rotate(USING).key
    after(seconds=lead() - 10)
    assert key_ring().signing.kid == old.kid
    wall, boot = keystore.time.time, keystore.clock
    monkeypatch.setattr(keystore.time, "time", lambda: wall() + 11)
    monkeypatch.setattr(keystore, "clock", lambda: boot() + 11)
    with django_assert_num_queries(0):
        assert key_ring().signing.kid == new.kid


def test_a_wall_clock_that_is_stepped_is_noticed_within_the_interval(monkeypatch):
    """Back, just before a term: its end would else be waited for by the time that it was."""
    old = rotated()
    rotate(USING)
    after(seconds=lead() + 1)
    wall, boot = keystore.time.time, keystore.clock
    monkeypatch.setattr(keystore.time, "time", lambda: wall() - 120)
    assert key_ring().signing.kid == old.kid
    monkeypatch.setattr(keystore.time, "time", wall)
    monkeypatch.setattr(keystore, "clock", lambda: boot() + 61)
    assert key_ring().signing.kid != old.kid


def test_a_rotation_under_way_is_not_begun_again():
    first, second = rotate(USING), rotate(USING)
    assert (first.begun, second.begun) == (True, False)
    assert first.key == second.key
    assert SigningKey.objects.count() == 1


def test_a_key_that_waits_is_taken(stored_keys):
    waiting = create(USING)
    assert rotate(USING).key == waiting
    assert SigningKey.objects.count() == 1


def test_a_key_that_has_waited_long_enough_signs_at_once():
    waiting = create(USING)
    after(seconds=lead() + 1)
    rotate(USING)
    assert signer() == waiting


def test_a_key_that_waits_is_not_taken_for_another_algorithm():
    create(USING)
    key = rotate(USING, "EdDSA").key
    assert key.algorithm == "EdDSA"


def test_the_algorithm_changes_without_a_flag_day(user, stored_keys):
    rotated()
    phone = Device(user)
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "ALGORITHM": "PS256"}
    rotate(USING)
    assert phone.standing == "live"
    after(seconds=lead() + 1)
    assert phone.standing == "live"
    phone.refresh_tokens()
    assert signer().algorithm == "PS256"
    after(seconds=overlap())
    assert phone.standing == "live"


# --- by age


@pytest.fixture
def monthly(stored_keys):
    period = timedelta(days=30)
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_ROTATION_PERIOD": period}


def test_the_first_stored_key_is_due_at_once(monthly):
    assert rotate(USING, due_only=True).begun


def test_a_rotation_is_due_when_its_key_could_sign_at_the_period_s_end(monthly):
    rotate(USING, due_only=True)
    after(days=30)
    after(seconds=-1)
    assert rotate(USING, due_only=True) is None
    after(seconds=1)
    assert rotate(USING, due_only=True).begun


def test_an_old_waiting_key_does_not_count_as_the_newest(monthly):
    create(USING)
    assert rotate(USING, due_only=True).begun


def test_without_a_period_nothing_is_ever_due():
    assert rotate(USING, due_only=True) is None


# --- the encryption keys


def test_rotating_brings_stored_keys_under_the_first_encryption_key(stored_keys, monthly):
    rotated()
    (old,) = stored_keys.JWT_REVOKE["KEY_ENCRYPTION_KEYS"]
    new = Fernet.generate_key().decode()
    both = {**stored_keys.JWT_REVOKE, "KEY_ENCRYPTION_KEYS": [new, old]}
    stored_keys.JWT_REVOKE = both
    rotate(USING, due_only=True)
    stored_keys.JWT_REVOKE = {**both, "KEY_ENCRYPTION_KEYS": [new]}
    assert "PRIVATE" in decrypt(signer().private)


def test_a_key_that_cannot_be_decrypted_stays_as_it_is(stored_keys, caplog):
    lost = rotated()
    other = [Fernet.generate_key().decode()]
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_ENCRYPTION_KEYS": other}
    rotate(USING)
    assert SigningKey.objects.get(kid=lost.kid).private == lost.private
    assert "none of KEY_ENCRYPTION_KEYS decrypts it" in caplog.text


# --- retire


def test_a_key_that_waits_can_be_retired():
    waiting = create(USING)
    retire(USING, waiting.kid)
    assert waiting.kid not in kids()
    assert rotate(USING).key != waiting


def test_a_retired_key_keeps_no_private_part():
    waiting = create(USING)
    retire(USING, waiting.kid)
    assert SigningKey.objects.get().private == ""


@pytest.mark.parametrize("wait", [0, 10_000])
def test_a_key_that_signs_or_is_to_sign_is_not_retired(wait):
    key = rotate(USING).key
    after(seconds=wait)
    with pytest.raises(KeyRefused, match="rotate first"):
        retire(USING, key.kid)


def test_a_key_whose_tokens_may_live_is_retired_by_force_alone(user):
    old = rotated()
    phone = Device(user)
    rotate(USING)
    after(seconds=lead() + 1)
    with pytest.raises(KeyRefused, match="retires by itself"):
        retire(USING, old.kid)
    assert phone.standing == "live"
    retire(USING, old.kid, force=True)
    keystore.forget_keys()
    assert phone.standing == "stale"
    phone.refresh_tokens()
    assert phone.standing == "live"


def test_retiring_twice_is_harmless():
    old = rotated()
    rotated()
    assert retire(USING, old.kid) == retire(USING, old.kid)


def test_what_is_not_stored_cannot_be_retired():
    (configured,) = kids()
    for kid in (configured, "nobody's"):
        with pytest.raises(KeyRefused, match="no stored key"):
            retire(USING, kid)


# --- compromised


def test_a_compromised_key_is_replaced_at_once(user):
    lost = rotated()
    phone = Device(user)
    assert compromise(USING, lost.kid, LEAK)
    assert kids() == [signer().kid]
    assert signer() != lost
    assert phone.standing == "stale"
    phone.refresh_tokens()
    assert phone.standing == "live"


def test_with_it_goes_a_revocation_of_everyone():
    lost = rotated()
    before = Generation.objects.get().value
    compromise(USING, lost.kid, Cause("key_compromised", "42", "in a backup"))
    entry = Revocation.objects.get()
    assert (entry.scope, entry.effect, entry.reason) == ("everyone", "access", "key_compromised")
    assert (entry.actor, entry.note) == ("42", "in a backup")
    assert Generation.objects.get().value > before


def test_effect_session_signs_everybody_out(user):
    lost = rotated()
    phone = Device(user)
    compromise(USING, lost.kid, LEAK, "session")
    assert not may_refresh(phone)


def test_marking_a_key_twice_does_nothing_more():
    lost = rotated()
    assert compromise(USING, lost.kid, LEAK)
    assert not compromise(USING, lost.kid, LEAK)
    assert (Revocation.objects.count(), SigningKey.objects.count()) == (1, 2)


def test_a_mark_keeps_no_private_part():
    lost = rotated()
    compromise(USING, lost.kid, LEAK)
    assert SigningKey.objects.get(kid=lost.kid).private == ""


def test_a_key_of_the_settings_is_marked_and_replaced(user):
    phone, (configured,) = Device(user), kids()
    compromise(USING, configured, LEAK)
    assert kids() == [signer().kid]
    assert signer().algorithm == "ES256"
    assert phone.standing == "stale"


def test_the_replacement_may_have_another_algorithm():
    compromise(USING, rotated().kid, LEAK, algorithm="EdDSA")
    assert signer().algorithm == "EdDSA"


def test_a_key_that_waits_is_marked_and_needs_no_successor():
    now_signs, waiting = rotated(), create(USING)
    compromise(USING, waiting.kid, LEAK)
    assert kids() == [now_signs.kid]


def test_a_waiting_key_before_any_other_leaves_the_configured_one(user):
    (configured,) = kids()
    compromise(USING, create(USING).kid, LEAK)
    assert kids() == [configured]


def test_the_signing_key_goes_on_when_its_successor_is_lost():
    now_signs = rotated()
    compromise(USING, rotate(USING).key.kid, LEAK)
    assert kids() == [now_signs.kid]
    after(seconds=lead() + overlap() + 1)
    assert kids() == [now_signs.kid]


def test_a_successor_that_was_to_come_still_comes_after_its_predecessor_is_lost():
    lost = rotated()
    coming = rotate(USING).key
    compromise(USING, lost.kid, LEAK)
    between = signer()
    assert between not in (lost, coming)
    after(seconds=lead() + 1)
    assert kids() == [coming.kid, between.kid]
    after(seconds=overlap())
    assert kids() == [coming.kid]


def test_the_first_stored_key_is_lost_before_it_signs():
    (configured,) = kids()
    compromise(USING, rotate(USING).key.kid, LEAK)
    assert kids() == [signer().kid, configured]


def test_a_key_that_has_retired_is_marked_all_the_same():
    """An old backup leaked: its generation must go too."""
    old, now_signs = rotated(), rotated()
    assert compromise(USING, old.kid, LEAK)
    assert kids() == [now_signs.kid]
    assert Revocation.objects.count() == 1


def test_a_key_that_was_taken_out_already_is_marked_by_force(stored_keys, user):
    """An older worker may still have it; and it must not be put back."""
    phone, (configured,) = Device(user), kids()
    before = stored_keys.JWT_REVOKE
    new = "a-new-key-of-more-than-thirty-two-bytes"
    stored_keys.JWT_REVOKE = {
        **before,
        "KEY_STORE": "settings",
        "ALGORITHM": "HS256",
        "SIGNING_KEYS": [new],
    }
    with pytest.raises(KeyRefused, match="no key of that id"):
        compromise(USING, configured, LEAK)
    assert compromise(USING, configured, LEAK, force=True)
    stored_keys.JWT_REVOKE = before
    assert configured not in kids()
    assert phone.standing == "stale"


def test_a_refresh_key_that_was_taken_out_already_signs_everybody_out():
    compromise(USING, "00c0ffee", LEAK, force=True)
    assert Revocation.objects.get().effect == "session"


def test_an_unknown_key_is_refused():
    with pytest.raises(KeyRefused, match="no key of that id"):
        compromise(USING, "nobody's", LEAK)
    assert not Revocation.objects.exists()


def test_the_only_key_of_the_settings_is_not_marked_before_there_is_another(stored_keys):
    """Nobody could sign in; and what it signs could only be believed or not."""
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_STORE": "settings"}
    (configured,) = kids()
    with pytest.raises(KeyRefused, match="the only key there"):
        compromise(USING, configured, LEAK)
    assert not SigningKey.objects.exists()
    assert not Revocation.objects.exists()


def test_one_of_two_keys_of_the_settings_is_marked(stored_keys, user):
    phone = Device(user)
    keys = ["a-new-key-of-more-than-thirty-two-bytes", *stored_keys.JWT_REVOKE["SIGNING_KEYS"]]
    configured = {**stored_keys.JWT_REVOKE, "KEY_STORE": "settings", "ALGORITHM": "HS256"}
    stored_keys.JWT_REVOKE = {**configured, "SIGNING_KEYS": keys}
    new, old = kids()
    compromise(USING, old, LEAK)
    assert phone.standing == "stale"
    phone.refresh_tokens()
    assert phone.standing == "live"
    assert [key.kid for key in key_ring().keys] == [new]


def test_the_last_of_two_keys_of_the_settings_is_not_marked(stored_keys):
    keys = ["a-new-key-of-more-than-thirty-two-bytes", *stored_keys.JWT_REVOKE["SIGNING_KEYS"]]
    configured = {**stored_keys.JWT_REVOKE, "KEY_STORE": "settings", "ALGORITHM": "HS256"}
    stored_keys.JWT_REVOKE = {**configured, "SIGNING_KEYS": keys}
    new, old = kids()
    compromise(USING, old, LEAK)
    with pytest.raises(KeyRefused, match="the only key there"):
        compromise(USING, new, LEAK)


# --- refresh keys


def test_the_only_refresh_key_is_not_marked_before_there_is_another():
    kid = refresh_key_ring().signing.key_id.hex()
    with pytest.raises(KeyRefused, match="the only key there"):
        compromise(USING, kid, LEAK)


def test_a_compromised_refresh_key_signs_everybody_out(stored_keys, user):
    phone = Device(user)
    keys = ["a-new-key-of-more-than-thirty-two-bytes", *stored_keys.JWT_REVOKE["REFRESH_KEYS"]]
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "REFRESH_KEYS": keys}
    _new, old = refresh_key_ring().keys
    compromise(USING, old.key_id.hex(), LEAK, "access")
    assert Revocation.objects.get().effect == "session"
    keystore.forget_keys()
    assert refresh_key_ring().find(old.key_id) is None
    assert not may_refresh(phone)
    assert Device(user).standing == "live"


# --- many at once


def test_nothing_is_changed_when_the_transaction_is_rolled_back():
    """Invariant 2."""
    lost = rotated()
    with transaction.atomic():
        compromise(USING, lost.kid, LEAK)
        transaction.set_rollback(True)
    assert kids() == [lost.kid]
    assert not Revocation.objects.exists()


def test_statements_do_not_depend_on_the_number_of_keys():
    """Invariant 8."""
    counts = []
    for _ in range(3):
        lost = rotated()
        with CaptureQueriesContext(connection) as captured:
            compromise(USING, lost.kid, LEAK)
        counts.append(len(captured))
    assert len(set(counts)) == 1


def test_terms_are_times_of_this_site():
    key = rotate(USING).key
    expected = timezone.now() + timedelta(seconds=lead())
    assert abs(key.not_before - expected) < timedelta(seconds=30)


def test_every_reason_fits_its_column():
    assert len(signing_keys.REASON) <= 40
