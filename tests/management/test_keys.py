"""``manage.py jwt_revoke keys``: what an operator types, and what is printed (s34)."""

from __future__ import annotations

import datetime

import pytest
from django.core.management import CommandError

from jwt_revoke.keystore import key_ring
from jwt_revoke.models import Revocation, SigningKey
from tests.management.test_jwt_revoke import run
from tests.stored import after, signer

pytestmark = [
    pytest.mark.once,
    pytest.mark.django_db,
    pytest.mark.usefixtures("stored_keys"),
]


def keys(*arguments):
    return run("keys", *arguments)


def test_without_a_command_it_is_a_usage_error():
    with pytest.raises(CommandError, match="COMMAND"):
        keys()


def test_create_says_what_comes_next():
    said = keys("create")
    (key,) = SigningKey.objects.all()
    assert key.kid in said
    assert "after a rotation" in said


def test_create_takes_an_algorithm_of_ours_alone():
    keys("create", "--algorithm", "EdDSA")
    assert SigningKey.objects.get().algorithm == "EdDSA"
    with pytest.raises(CommandError, match="invalid choice"):
        keys("create", "--algorithm", "none")


def test_rotate_says_from_when_the_new_key_signs():
    said = keys("rotate")
    key = SigningKey.objects.get()
    assert key.kid in said
    assert key.not_before.isoformat(" ", "seconds") in said


def test_rotate_can_be_run_twice():
    first, second = keys("rotate"), keys("rotate")
    assert "retire by themselves" in first
    assert "Under way already" in second


def test_rotate_when_due_is_for_cron(stored_keys):
    period = datetime.timedelta(days=30)
    stored_keys.JWT_REVOKE = {**stored_keys.JWT_REVOKE, "KEY_ROTATION_PERIOD": period}
    assert "signs from" in keys("rotate", "--due")
    after(days=1)
    assert "No rotation is due" in keys("rotate", "--due")


def test_rotate_when_due_says_what_is_not_set():
    assert "KEY_ROTATION_PERIOD" in keys("rotate", "--due")
    assert not SigningKey.objects.exists()


def test_list_shows_each_key_and_how_it_stands():
    keys("rotate")
    lines = keys("list").splitlines()
    assert lines[0].split()[:3] == ["Key", "algorithm", "kept"]
    (key,) = SigningKey.objects.all()
    (line,) = [line for line in lines if line.startswith(key.kid)]
    assert "to sign" in line
    assert key.not_before.isoformat(" ", "seconds") in line


def test_list_shows_nothing_of_a_private_key():
    """Invariant 9."""
    keys("create")
    shown = keys("list")
    assert SigningKey.objects.get().private not in shown
    assert "PRIVATE" not in shown


def test_list_of_a_site_without_time_zones(stored_keys):
    stored_keys.USE_TZ = False
    keys("rotate")
    assert SigningKey.objects.get().not_before.isoformat(" ", "seconds") in keys("list")


def test_retire_refuses_what_signs():
    keys("rotate")
    with pytest.raises(CommandError, match="rotate first"):
        keys("retire", SigningKey.objects.get().kid)


def test_retire_by_force():
    keys("rotate")
    after(hours=1)
    old = signer()
    keys("rotate")
    after(minutes=8)
    with pytest.raises(CommandError, match="may live"):
        keys("retire", old.kid)
    assert "is retired" in keys("retire", old.kid, "--force")
    assert old.kid not in [key.kid for key in key_ring().keys]


def test_compromised_revokes_and_says_so():
    kid = key_ring().signing.kid
    assert "verifies nothing" in keys("compromised", kid, "--note", "in a public repository")
    entry = Revocation.objects.get()
    assert (entry.reason, entry.effect, entry.note) == (
        "key_compromised",
        "access",
        "in a public repository",
    )


def test_compromised_can_be_run_twice():
    kid = key_ring().signing.kid
    keys("compromised", kid, "--effect", "session", "--algorithm", "PS256")
    again = keys("compromised", kid)
    assert "marked before" in again
    assert "revoke --everyone" in again
    assert Revocation.objects.get().effect == "session"
    assert signer().algorithm == "PS256"


@pytest.mark.parametrize("command", ["retire", "compromised"])
def test_an_id_that_begins_with_a_hyphen_is_given_after_two(command):
    with pytest.raises(CommandError, match="There is no"):
        keys(command, "--", "-nobodys")


def test_compromised_refuses_an_unknown_key_unless_forced():
    with pytest.raises(CommandError, match="no key of that id"):
        keys("compromised", "nobody's")
    assert "verifies nothing" in keys("compromised", "nobody's", "--force")
