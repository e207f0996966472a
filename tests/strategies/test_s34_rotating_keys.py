"""s34: the secrets are rotated regularly, and nobody notices."""

from __future__ import annotations

import pytest

from jwt_revoke import keystore
from jwt_revoke.key_compromise import compromise
from jwt_revoke.key_sources import lead, overlap
from jwt_revoke.log import Cause
from jwt_revoke.signing_keys import rotate
from tests.backends.replica.following import until
from tests.stored import after, elsewhere
from tests.strategies.over_http import Phone

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("stored_keys")]


def published(client):
    return [key["kid"] for key in client.get("/api/auth/jwks.json").json()["keys"]]


def test_a_key_is_published_before_it_signs_and_until_its_last_token_has_expired(user):
    rotate("default")
    after(hours=1)
    phone = Phone()
    (old,) = published(phone)
    new = rotate("default").key.kid
    assert published(phone) == [old, new]
    assert phone.may_renew()
    after(seconds=lead() + 1)
    assert published(phone) == [new, old]
    assert phone.standing() == "live"
    after(seconds=overlap())
    assert published(phone) == [new]
    assert phone.may_renew()
    assert phone.standing() == "live"


def test_a_token_of_each_key_lives_while_both_verify(user):
    phone = Phone()
    before = phone.access
    rotate("default")
    after(seconds=lead() + 1)
    assert phone.may_renew()
    assert phone.access.split(".")[0] != before.split(".")[0]
    assert (phone.standing(before), phone.standing()) == ("live", "live")


def test_the_refresh_token_does_not_change_with_the_signing_keys(user):
    """A device that sleeps through a rotation stays signed in."""
    phone = Phone()
    for _ in range(2):
        rotate("default")
        after(seconds=lead() + overlap() + 1)
    assert phone.may_renew()
    assert phone.standing() == "live"


def test_another_process_signs_and_verifies_with_it(user, replica, neighbour):
    replica(max_staleness=0)
    there, phone = neighbour(), Phone()
    assert there.standing(phone.access) == "live"
    rotate("default")
    after(seconds=lead() + 1)
    assert phone.may_renew()
    # It was not told, and has not read since: an unknown id is worth a look, once a second.
    until(lambda: there.standing(phone.access) == "live")


def test_a_process_that_missed_a_compromise_signs_with_no_dead_key(user):
    phone = Phone()
    lost = keystore.key_ring().signing
    with elsewhere():
        compromise("default", lost.kid, Cause("key_compromised"))
    assert phone.standing() == "stale"
    assert phone.may_renew()
    assert phone.standing() == "live"
