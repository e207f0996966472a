"""s30: the token itself says which it is, and never by a hash of its text."""

from __future__ import annotations

import pytest

from jwt_revoke import api
from jwt_revoke.exceptions import TokenInvalid
from tests.strategies.over_http import Phone, log

pytestmark = pytest.mark.django_db


def test_access_token_is_revoked_by_its_text(user):
    phone = Phone()
    assert api.revoke_token(phone.access)
    assert phone.standing() == "stale"


def test_padded_spelling_of_a_revoked_token_opens_nothing(user):
    """PyJWT accepts ``token + "="``: a denylist of texts would let it in."""
    phone = Phone()
    api.revoke_token(phone.access)
    assert phone.standing(phone.access + "=") == "invalid"


def test_padded_spelling_of_a_live_token_is_refused_too(user):
    phone = Phone()
    assert phone.standing(phone.access + "=") == "invalid"


def test_refresh_token_is_revoked_by_its_text_and_ends_its_session(user):
    phone = Phone()
    assert api.revoke_token(phone.refresh)
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
    assert log() == [("session", "revoked", "session")]


def test_token_that_is_not_ours_is_no_silent_success(user):
    with pytest.raises(TokenInvalid):
        api.revoke_token("somebody.elses.token")
    assert log() == []
