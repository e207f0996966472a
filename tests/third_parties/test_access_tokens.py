"""Another service verifies our access tokens by our published keys (RFC 9068 §4), and refuses
what it should: the tests of the codec sign and verify by PyJWT alone."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import ec

from jwt_revoke.key_sources import lead
from jwt_revoke.signing_keys import rotate
from jwt_revoke.testing import Device
from tests.attacks.conftest import pem
from tests.attacks.forging import b64, changed, parts_of
from tests.stored import after
from tests.third_parties.conftest import Verify
from tests.third_parties.verifiers import Refused, ThirdParty

pytestmark = pytest.mark.once


def test_it_verifies_our_access_token(user: Any, verify: Verify) -> None:
    """Signature, ``typ``, issuer, audience, and all claims that RFC 9068 §2.2 requires."""
    claims = verify(Device(user).access)
    assert claims["sub"] == str(user.pk)


def test_it_refuses_a_payload_changed_under_its_signature(
    user: Any, third_party: ThirdParty, verify: Verify
) -> None:
    """RFC 7515 §5.2"""
    token = Device(user).access
    head, _, signature = token.split(".")
    payload = changed(parts_of(token)[1], {"sub": "1000000"})
    with pytest.raises(Refused, match=f"^{third_party.bad_signature}$"):
        verify(f"{head}.{b64(payload)}.{signature}")


@pytest.mark.parametrize("algorithm", ["ES256"], indirect=True)
def test_it_refuses_a_token_of_a_key_that_is_not_published(
    user: Any, settings: Any, third_party: ThirdParty, verify: Verify
) -> None:
    """The key is found by ``kid``, not tried (RFC 7515 §4.1.4)."""
    token = Device(user).access
    other = pem(ec.generate_private_key(ec.SECP256R1()))
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SIGNING_KEYS": [other]}
    with pytest.raises(Refused, match=f"^{third_party.unknown_key}$"):
        verify(token)


@pytest.mark.parametrize("algorithm", ["ES256"], indirect=True)
@pytest.mark.parametrize(("claim", "asked"), [("iss", "issuer"), ("aud", "audience")])
def test_it_refuses_a_token_of_another_issuer_or_for_another_audience(
    user: Any, third_party: ThirdParty, verify: Verify, claim: str, asked: str
) -> None:
    """RFC 9068 §4"""
    with pytest.raises(Refused, match=f"^{third_party.wrong_claim} {claim}$"):
        verify(Device(user).access, **{asked: "https://other.example/"})


@pytest.mark.parametrize("algorithm", ["ES256"], indirect=True)
def test_it_verifies_through_a_rotation(user: Any, settings: Any, verify: Verify) -> None:
    """s34: what the old key signed and what the new one signs, by the set of one moment."""
    stored = {"KEY_STORE": "database", "KEY_ENCRYPTION_KEYS": [Fernet.generate_key().decode()]}
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, **stored}
    phone = Device(user)
    before = phone.access
    rotate("default", "EdDSA")
    after(seconds=lead() + 1)
    phone.refresh_tokens()
    assert parts_of(phone.access)[0]["alg"] == "EdDSA"
    assert verify(before)["sub"] == str(user.pk)
    assert verify(phone.access, algorithm="EdDSA")["sub"] == str(user.pk)
