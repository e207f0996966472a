"""Each forged access token is ``invalid``, whatever keys the site has (invariant 10)."""

from __future__ import annotations

import pytest

from jwt_revoke.codec import decode_access
from jwt_revoke.exceptions import TokenInvalid
from jwt_revoke.keystore import key_ring
from tests.attacks.forgeries import FAMILIES, forgeries

pytestmark = pytest.mark.once


def accepted(token, ring):
    try:
        decode_access(token, ring)
    except TokenInvalid:
        return False
    return True


def test_there_are_hundreds(phone):
    assert len(forgeries(phone.access)) > 400


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_none_is_an_access_token(phone, family):
    ring = key_ring()
    assert accepted(phone.access, ring)
    assert [name for name, text in family(phone.access) if accepted(text, ring)] == []
