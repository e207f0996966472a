"""s10: change the secret, or the algorithm: the red button."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jwt_revoke import api
from jwt_revoke.codec import encode_access
from jwt_revoke.key_compromise import compromise
from jwt_revoke.key_sources import lead, overlap
from jwt_revoke.keys import KeyRing
from jwt_revoke.keystore import key_ring
from jwt_revoke.log import Cause
from jwt_revoke.models import SigningKey
from jwt_revoke.signing_keys import rotate
from tests.stored import after
from tests.strategies.over_http import Phone, log

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored_keys")]

LEAK = Cause("key_compromised")


def forged(phone, key, **changes):
    """What a thief of the key can sign: anything, about anybody whose token was seen."""
    return encode_access({**phone.claims, **changes}, KeyRing((key,)))


def test_everyone_is_logged_out_without_a_new_key(user):
    phone = Phone()
    kid = key_ring().signing.kid
    api.revoke_everyone(reason="breach")
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
    phone.sign_in()
    assert phone.standing() == "live"
    assert key_ring().signing.kid == kid
    assert not SigningKey.objects.exists()


def test_the_button_is_one_statement_for_any_number_of_users(user):
    """Invariant 8: the generation, the log, and the one row read back."""
    api.revoke_everyone()
    with CaptureQueriesContext(connection) as captured:
        api.revoke_everyone()
    written = [q["sql"] for q in captured if q["sql"].startswith(("UPDATE", "INSERT"))]
    assert len(written) == 2


def test_every_process_obeys_the_button_at_once(user, replica, neighbour):
    """Invariant 1, with a bound of 0."""
    replica(max_staleness=0)
    there, phone = neighbour(), Phone()
    assert there.standing(phone.access) == "live"
    api.revoke_everyone()
    assert there.standing(phone.access) == "revoked"


def test_a_compromised_key_opens_nothing_in_any_process(user, replica, neighbour):
    replica(max_staleness=0)
    there, phone = neighbour(), Phone()
    lost = key_ring().signing
    old = forged(phone, lost)
    assert there.standing(old) == "live"
    compromise("default", lost.kid, LEAK)
    assert phone.may_renew()
    assert phone.claims["gen"] > 0
    for token in [old, forged(phone, lost)]:
        assert there.standing(token) == "stale"
        assert phone.standing(token) == "stale"
    assert phone.standing() == "live"


def test_clients_go_on_under_the_new_key_by_a_silent_refresh(user):
    phone = Phone()
    compromise("default", key_ring().signing.kid, LEAK)
    assert phone.standing() == "stale"
    assert phone.may_renew()
    assert phone.standing() == "live"
    assert log() == [("everyone", "key_compromised", "access")]


def test_everybody_signs_in_again_where_that_is_asked_for(user):
    phone = Phone()
    compromise("default", key_ring().signing.kid, LEAK, "session")
    assert not phone.may_renew()
    phone.sign_in()
    assert phone.standing() == "live"


@pytest.mark.parametrize("algorithm", ["HS512", "RS256", "PS256", "ES384", "EdDSA"])
def test_the_algorithm_changes_without_a_flag_day(user, stored_keys, algorithm):
    rotate("default")
    after(hours=1)
    phone = Phone()
    rotate("default", algorithm)
    assert phone.standing() == "live"
    after(seconds=lead() + 1)
    assert phone.standing() == "live"
    assert phone.may_renew()
    assert key_ring().signing.algorithm == algorithm
    after(seconds=overlap())
    assert phone.standing() == "live"
