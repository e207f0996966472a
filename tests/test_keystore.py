from __future__ import annotations

from uuid import uuid4

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from jwt_revoke.codec import RefreshClaims, decode_refresh, encode_refresh
from jwt_revoke.key_sources import configured_keys, configured_refresh_keys
from jwt_revoke.keystore import refresh_key_ring
from jwt_revoke.testing import Device
from tests.test_keys import P256, pem

KEYS = ["first-key-of-more-than-thirty-two-bytes", "second-key-of-more-than-thirty-two-bytes"]


@pytest.fixture
def derived(settings):
    """No keys of our own: all come from ``SECRET_KEY``."""
    settings.JWT_REVOKE = {}
    settings.SECRET_KEY = "the site's secret"
    settings.SECRET_KEY_FALLBACKS = []
    return settings


def kids():
    return [timed.key.kid for timed in configured_keys()]


def key_ids():
    return [key.key_id for key in configured_refresh_keys()]


def first():
    return configured_keys()[0].key


def test_derived_keys_differ_by_purpose(derived):
    assert first().signs[:32] != configured_refresh_keys()[0].secret


def test_derived_keys_are_not_the_secret_itself(derived):
    secrets = {first().signs, configured_refresh_keys()[0].secret}
    assert derived.SECRET_KEY.encode() not in secrets


def test_derived_keys_are_the_same_in_every_process(derived):
    """Pinned: another derivation would sign everybody out at an upgrade."""
    assert kids() == ["rpPoTpq_uXQtvWRg"]
    assert key_ids() == [bytes.fromhex("ec79b10a")]


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_derived_key_is_long_enough_for_each_algorithm(derived, algorithm):
    derived.JWT_REVOKE = {"ALGORITHM": algorithm}
    assert first().algorithm == algorithm


def test_derived_keys_differ_by_algorithm(derived):
    """RFC 8725 §3.1."""
    found = []
    for algorithm in ("HS256", "HS384", "HS512"):
        derived.JWT_REVOKE = {"ALGORITHM": algorithm}
        found.append(first().signs)
    assert len(set(found)) == 3


@pytest.mark.parametrize("before", ["HS256", "HS384", "HS512"])
def test_derived_keys_verify_on_until_stored_ones_sign(derived, before):
    """Whatever ALGORITHM was before it became that of the stored keys."""
    derived.JWT_REVOKE = {"ALGORITHM": before}
    old = kids()
    derived.JWT_REVOKE = {"ALGORITHM": "ES256", "KEY_STORE": "database"}
    assert set(old) < set(kids())


def test_fallbacks_of_the_secret_verify_and_do_not_sign(derived):
    old = (kids(), key_ids())
    derived.SECRET_KEY, derived.SECRET_KEY_FALLBACKS = "a new secret", ["the site's secret"]
    assert (kids()[1:], key_ids()[1:]) == old
    assert (kids()[0], key_ids()[0]) != (old[0][0], old[1][0])


def test_secret_given_as_bytes_is_the_same_secret(derived):
    as_text = kids()
    derived.SECRET_KEY = b"the site's secret"
    assert kids() == as_text


def test_access_keys_of_the_sites_own_do_not_depend_on_the_secret(derived):
    derived.JWT_REVOKE = {"SIGNING_KEYS": KEYS}
    before = kids()
    derived.SECRET_KEY = "another"
    assert kids() == before
    assert len(before) == 2


def test_refresh_keys_of_the_sites_own_do_not_depend_on_the_secret(derived):
    derived.JWT_REVOKE = {"REFRESH_KEYS": KEYS}
    before = key_ids()
    derived.SECRET_KEY = "another"
    assert key_ids() == before
    assert len(before) == 2


def test_retired_access_key_signs_no_idle_device_out(derived):
    """Their keys are lists of their own."""
    before = key_ids()
    derived.JWT_REVOKE = {"SIGNING_KEYS": KEYS}
    assert key_ids() == before


def test_override_settings_just_works():
    before = kids()
    with override_settings(JWT_REVOKE={"SIGNING_KEYS": KEYS}):
        assert kids() != before
    assert kids() == before


def test_algorithm_is_changed_by_override_settings_too():
    with override_settings(JWT_REVOKE={"ALGORITHM": "ES256", "SIGNING_KEYS": [pem(P256)]}):
        assert first().algorithm == "ES256"


def test_each_key_has_an_algorithm_of_its_own(derived):
    """A change of algorithm is a new first key: the old one verifies on."""
    old = {"algorithm": "HS384", "key": KEYS[0] + KEYS[1]}
    derived.JWT_REVOKE = {"ALGORITHM": "ES256", "SIGNING_KEYS": [pem(P256), old]}
    assert [timed.key.algorithm for timed in configured_keys()] == ["ES256", "HS384"]


def test_one_key_has_one_algorithm(derived):
    """RFC 8725 §3.1; its thumbprint is the same under both."""
    again = {"algorithm": "HS384", "key": KEYS[0] + KEYS[1]}
    derived.JWT_REVOKE = {"ALGORITHM": "HS512", "SIGNING_KEYS": [KEYS[0] + KEYS[1], again]}
    with pytest.raises(ImproperlyConfigured, match="one key for HS512 and for HS384"):
        configured_keys()


def test_a_key_that_is_named_twice_is_one_key(derived):
    derived.JWT_REVOKE = {"SIGNING_KEYS": [*KEYS, KEYS[0]]}
    assert kids()[0] == kids()[2]


def test_private_keys_cannot_be_derived(derived):
    derived.JWT_REVOKE = {"ALGORITHM": "ES256"}
    with pytest.raises(ImproperlyConfigured, match="ES256 needs its private keys"):
        configured_keys()


@pytest.mark.parametrize("keys", [["short"], [*KEYS, "short"], "one text, not a list"])
def test_unusable_key_is_told_by_the_name_of_its_setting(derived, keys):
    derived.JWT_REVOKE = {"SIGNING_KEYS": keys, "REFRESH_KEYS": keys}
    with pytest.raises(ImproperlyConfigured, match="SIGNING_KEYS"):
        configured_keys()
    derived.JWT_REVOKE = {"REFRESH_KEYS": keys}
    with pytest.raises(ImproperlyConfigured, match="REFRESH_KEYS"):
        configured_refresh_keys()


def test_unusable_key_is_not_quoted(derived):
    """Invariant 9."""
    derived.JWT_REVOKE = {"SIGNING_KEYS": ["a-short-secret"]}
    with pytest.raises(ImproperlyConfigured) as refused:
        configured_keys()
    assert "a-short-secret" not in str(refused.value)


@pytest.mark.django_db
def test_keys_rotate_without_a_flag_day(derived, user):
    old, new = KEYS
    derived.JWT_REVOKE = {"SIGNING_KEYS": [old], "REFRESH_KEYS": [old]}
    phone = Device(user)
    derived.JWT_REVOKE = {"SIGNING_KEYS": [new, old], "REFRESH_KEYS": [new, old]}
    assert phone.get("/api/ping/").status_code == 200
    phone.refresh_tokens()
    derived.JWT_REVOKE = {"SIGNING_KEYS": [new], "REFRESH_KEYS": [new]}
    assert phone.get("/api/ping/").status_code == 200
    phone.refresh_tokens()


@pytest.mark.django_db
def test_token_of_a_retired_key_opens_nothing(derived, user):
    old, new = KEYS
    derived.JWT_REVOKE = {"SIGNING_KEYS": [old]}
    phone = Device(user)
    derived.JWT_REVOKE = {"SIGNING_KEYS": [new]}
    assert phone.get("/api/ping/").status_code == 401


@pytest.mark.django_db
def test_refresh_token_of_the_old_secret_is_read_while_it_is_a_fallback(derived):
    claims = RefreshClaims(uuid4(), 3)
    token = encode_refresh(claims, refresh_key_ring())
    derived.SECRET_KEY, derived.SECRET_KEY_FALLBACKS = "a new secret", ["the site's secret"]
    assert decode_refresh(token, refresh_key_ring()) == claims
