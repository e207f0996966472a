"""A key has leaked: it verifies nothing any more, whatever store it is of (s10)."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from jwt_revoke import key_compromise, keystore
from jwt_revoke.exceptions import TokenRefused
from jwt_revoke.key_compromise import compromise
from jwt_revoke.key_sources import lead, overlap
from jwt_revoke.keystore import key_ring, refresh_key_ring
from jwt_revoke.log import Cause
from jwt_revoke.models import Generation, Revocation, SigningKey
from jwt_revoke.signing_keys import KeyRefused, create, rotate
from jwt_revoke.testing import Device
from tests.stored import after, signer
from tests.test_signing_keys import kids, rotated

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored_keys")]

USING = "default"
LEAK = Cause("key_compromised")


def may_refresh(device):
    try:
        device.refresh_tokens()
    except TokenRefused:
        return False
    return True


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


def test_every_reason_fits_its_column():
    assert len(key_compromise.REASON) <= 40
