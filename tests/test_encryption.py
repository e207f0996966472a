"""Private keys at rest (invariant 9)."""

from __future__ import annotations

import base64
import sys

import pytest
from cryptography.fernet import Fernet

from jwt_revoke import encryption
from jwt_revoke.encryption import decrypt, encrypt, is_current
from jwt_revoke.keys import KeyUnusable

pytestmark = pytest.mark.once

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
TEXT = "-----BEGIN PRIVATE KEY-----"


@pytest.fixture
def under(settings):
    def configure(*keys):
        settings.JWT_REVOKE = {"KEY_ENCRYPTION_KEYS": list(keys)}

    return configure


def test_what_is_encrypted_comes_back(under):
    under(NEW)
    token = encrypt(TEXT)
    assert decrypt(token) == TEXT
    assert base64.b64encode(TEXT.encode()).decode() not in token
    assert TEXT not in token


def test_the_first_key_encrypts_and_all_decrypt(under):
    under(OLD)
    before = encrypt(TEXT)
    under(NEW, OLD)
    after = encrypt(TEXT)
    assert (decrypt(before), decrypt(after)) == (TEXT, TEXT)
    assert (is_current(before), is_current(after)) == (False, True)
    under(NEW)
    assert decrypt(after) == TEXT


@pytest.mark.parametrize("token", ["", "gAAAAA", "ä", TEXT])
def test_what_none_of_the_keys_encrypted_is_refused(under, token):
    under(OLD)
    with pytest.raises(KeyUnusable, match="none of KEY_ENCRYPTION_KEYS"):
        decrypt(token)
    assert not is_current(token)


def test_a_changed_ciphertext_is_refused(under):
    """It is authenticated: whoever can write to the table cannot shape a key."""
    under(OLD)
    token = bytearray(base64.urlsafe_b64decode(encrypt(TEXT)))
    token[30] ^= 1
    with pytest.raises(KeyUnusable):
        decrypt(base64.urlsafe_b64encode(token).decode())


@pytest.mark.parametrize("keys", [[], ["short"], [NEW, "not base64 at all"]])
def test_unusable_encryption_keys_are_told_and_not_quoted(under, keys):
    under(*keys)
    with pytest.raises(KeyUnusable, match="KEY_ENCRYPTION_KEYS") as refused:
        encrypt(TEXT)
    assert not any(key in str(refused.value) for key in keys)


def test_stored_keys_need_cryptography(under, monkeypatch):
    encryption._fernet.cache_clear()
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    under(NEW)
    with pytest.raises(KeyUnusable, match=r"django-jwt-revoke\[crypto\]"):
        encrypt(TEXT)


def test_one_text_is_never_encrypted_alike(under):
    """ASVS 5.0 V11.3.4: a new IV each time, or a dump would tell which keys are the same."""
    under(NEW)
    assert len({encrypt(TEXT) for _ in range(100)}) == 100
