"""Keys in files; and how long each key is of use."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from jwt_revoke.key_sources import lead, overlap
from jwt_revoke.keystore import key_ring
from tests.stored import clock
from tests.test_keys import P256, pem
from tests.test_keystore import KEYS


@pytest.fixture
def files(tmp_path, settings):
    """``files(first=text, …)`` writes them, and has them read in that order."""

    def write(**contents):
        for name, text in contents.items():
            (tmp_path / name).write_text(text)
        paths = [str(tmp_path / name) for name in contents]
        settings.JWT_REVOKE = {"KEY_STORE": "files", "SIGNING_KEYS": paths}
        return tmp_path

    return write


__all__ = ["clock"]

pytestmark = [pytest.mark.once, pytest.mark.django_db]


def kids():
    return [key.kid for key in key_ring().keys]


def test_a_file_holds_what_the_setting_would(files, settings):
    files(first=KEYS[0] + "\n", second=KEYS[1])
    in_files = kids()
    settings.JWT_REVOKE = {"SIGNING_KEYS": KEYS}
    assert kids() == in_files


def test_a_file_of_another_algorithm(files, settings):
    folder = files(old=KEYS[0], new=pem(P256))
    new = {"algorithm": "ES256", "key": str(folder / "new")}
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SIGNING_KEYS": [new, str(folder / "old")]}
    assert [key.algorithm for key in key_ring().keys] == ["ES256", "HS256"]


def test_a_file_that_changes_is_read_within_the_interval(files, clock):
    folder = files(key=KEYS[0])
    before = kids()
    (folder / "key").write_text(KEYS[1])
    clock(59)
    assert kids() == before
    clock(2)
    assert kids() != before


def test_a_file_that_is_away_leaves_the_keys_as_they_were(files, clock, caplog):
    """As while a mounted secret is being replaced."""
    folder = files(key=KEYS[0])
    before = kids()
    (folder / "key").unlink()
    clock(61)
    assert kids() == before
    assert "a file cannot be read (FileNotFoundError)" in caplog.text


def test_a_file_that_is_read_in_vain_is_not_read_on_every_request(files, clock, caplog):
    folder = files(key=KEYS[0])
    kids()
    (folder / "key").unlink()
    clock(61)
    for _ in range(5):
        kids()
    assert caplog.text.count("cannot be read") == 1


@pytest.mark.parametrize("contents", [{"key": "short"}, {"key": "\udcff"}])
def test_a_file_without_a_usable_key_is_told_by_its_setting(tmp_path, settings, contents):
    (tmp_path / "key").write_bytes(contents["key"].encode(errors="surrogateescape"))
    settings.JWT_REVOKE = {"KEY_STORE": "files", "SIGNING_KEYS": [str(tmp_path / "key")]}
    with pytest.raises(ImproperlyConfigured, match="SIGNING_KEYS"):
        key_ring()


def test_a_key_given_for_its_file_is_not_quoted(settings):
    """Invariant 9: whoever sets KEY_STORE alone has the key itself where a path should be."""
    settings.JWT_REVOKE = {"KEY_STORE": "files", "SIGNING_KEYS": KEYS}
    with pytest.raises(ImproperlyConfigured) as refused:
        key_ring()
    assert KEYS[0] not in str(refused.value)


def test_no_key_is_derived_where_files_were_meant(settings):
    settings.JWT_REVOKE = {"KEY_STORE": "files"}
    with pytest.raises(ImproperlyConfigured, match="no file is named"):
        key_ring()


def test_a_key_outlives_the_last_token_that_it_signed(settings):
    settings.JWT_REVOKE = {
        "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
        "LEEWAY": timedelta(seconds=7),
        "KEY_REFRESH_INTERVAL": timedelta(seconds=30),
    }
    assert overlap() == 600 + 7 + 30 + 60


def test_a_key_is_published_for_longer_than_anybody_keeps_the_old_answer(settings, client):
    """A process may publish a copy of an interval ago, which is then kept for ``max-age``."""
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "KEY_REFRESH_INTERVAL": timedelta(seconds=30),
    }
    answer = client.get("/api/auth/jwks.json")
    max_age = int(answer["Cache-Control"].partition("max-age=")[2])
    assert lead() >= 30 + max_age + 60
