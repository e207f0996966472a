"""Stored keys from the cradle to the grave (s34)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.utils import timezone

from jwt_revoke import keys, keystore, signing_keys
from jwt_revoke.encryption import decrypt
from jwt_revoke.key_sources import lead, overlap
from jwt_revoke.keystore import key_ring
from jwt_revoke.models import SigningKey
from jwt_revoke.signing_keys import KeyRefused, create, retire, rotate
from jwt_revoke.testing import Device
from tests.stored import after, signer

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored_keys")]

USING = "default"


def rotated(**options):
    """The key of a rotation that is over."""
    key = rotate(USING, **options).key
    after(seconds=lead() + overlap() + 1)
    return key


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


def test_terms_are_times_of_this_site():
    key = rotate(USING).key
    expected = timezone.now() + timedelta(seconds=lead())
    assert abs(key.not_before - expected) < timedelta(seconds=30)
