"""Each forged token is refused by its reader, for what it is (invariant 10)."""

from __future__ import annotations

import pytest

from jwt_revoke.codec import decode_access, decode_refresh
from jwt_revoke.exceptions import TokenInvalid
from jwt_revoke.keystore import key_ring, refresh_key_ring
from tests.attacks import forgeries, refresh_forgeries

pytestmark = pytest.mark.once


def accepted(read, token, ring):
    try:
        read(token, ring)
    except TokenInvalid:
        return False
    return True


def test_there_are_hundreds(phone):
    assert len(forgeries.forgeries(phone.access)) > 450
    assert len(refresh_forgeries.refresh_forgeries(phone.refresh_token)) > 200


@pytest.mark.parametrize("family", forgeries.FAMILIES, ids=lambda family: family.__name__)
def test_none_is_an_access_token(phone, family):
    ring = key_ring()
    assert accepted(decode_access, phone.access, ring)
    found = [name for name, text in family(phone.access) if accepted(decode_access, text, ring)]
    assert found == []


@pytest.mark.parametrize("family", refresh_forgeries.FAMILIES, ids=lambda family: family.__name__)
def test_none_is_a_refresh_token(phone, family):
    ring, genuine = refresh_key_ring(), phone.refresh_token
    assert accepted(decode_refresh, genuine, ring)
    texts = [(name, text) for name, text in family(genuine) if text != genuine]
    assert [name for name, text in texts if accepted(decode_refresh, text, ring)] == []
