"""What an operator is shown of the keys."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jwt_revoke import keystore
from jwt_revoke.key_compromise import compromise
from jwt_revoke.key_listing import listed
from jwt_revoke.key_sources import lead, overlap
from jwt_revoke.log import Cause
from jwt_revoke.signing_keys import create, rotate
from tests.stored import after

pytestmark = [pytest.mark.once, pytest.mark.django_db]

OTHER_KEY = "another-key-for-tests-of-more-than-32-bytes"


def states():
    return [(key.algorithm, key.origin, key.state) for key in listed("default")]


def test_keys_of_the_settings(settings):
    keys = [OTHER_KEY, *settings.JWT_REVOKE["SIGNING_KEYS"]]
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SIGNING_KEYS": keys}
    assert states() == [
        ("HS256", "settings", "signs"),
        ("HS256", "settings", "verifies"),
        ("refresh", "settings", "signs"),
    ]


def test_a_rotation_from_its_beginning_to_its_end(stored_keys):
    rotate("default")
    create("default", "EdDSA")
    found = [
        ("HS256", "settings", "signs"),
        ("ES256", "database", "to sign"),
        ("EdDSA", "database", "waits"),
        ("refresh", "settings", "signs"),
    ]
    assert states() == [found[0], *found[1:]]
    after(seconds=lead() + 1)
    assert states() == [
        ("ES256", "database", "signs"),
        ("EdDSA", "database", "waits"),
        ("HS256", "settings", "verifies"),
        found[3],
    ]
    after(seconds=overlap())
    assert states()[2] == ("HS256", "settings", "retired")


def test_terms_are_told(stored_keys):
    new = rotate("default").key
    old, coming, _refresh = listed("default")
    assert (coming.kid, coming.not_before) == (new.kid, new.not_before)
    assert abs((old.verifies_until - new.not_before).total_seconds() - overlap()) < 1


def test_a_stored_key_that_has_retired(stored_keys):
    rotate("default")
    after(days=1)
    rotate("default")
    after(days=1)
    assert [key.state for key in listed("default")] == ["signs", "retired", "retired", "signs"]


def test_a_mark_of_a_key_that_was_in_the_settings(stored_keys):
    compromise("default", keystore.key_ring().signing.kid, Cause("key_compromised"))
    assert ("HS256", "", "compromised") in states()


def test_a_marked_refresh_key_is_listed_once(settings):
    keys = [OTHER_KEY, *settings.JWT_REVOKE["REFRESH_KEYS"]]
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REFRESH_KEYS": keys}
    old = keystore.refresh_key_ring().keys[1].key_id.hex()
    compromise("default", old, Cause("key_compromised"))
    found = [(key.kid, key.state) for key in listed("default") if key.algorithm == "refresh"]
    assert len(found) == 2
    assert (old, "compromised") in found


def test_what_is_stored_is_not_in_use_where_keys_are_elsewhere(stored_keys):
    create("default")
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_STORE": "settings"}
    assert ("ES256", "database", "not in use") in states()


def test_keys_in_files_are_told_from_those_in_settings(settings, tmp_path):
    (tmp_path / "key").write_text(OTHER_KEY)
    paths = [str(tmp_path / "key")]
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "KEY_STORE": "files", "SIGNING_KEYS": paths}
    assert states()[0] == ("HS256", "files", "signs")


def test_no_statement_is_made_for_each_key(stored_keys):
    counts = []
    for _ in range(3):
        create("default")
        with CaptureQueriesContext(connection) as captured:
            listed("default")
        counts.append(len(captured))
    assert len(set(counts)) == 1
