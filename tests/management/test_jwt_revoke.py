"""``manage.py jwt_revoke``: what an operator types, and what is printed."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.testing import Device
from tests.admin.conftest import broken_database
from tests.conftest import make_user

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    """Somebody is watching."""

    def isatty(self) -> bool:
        return True


def run(*arguments: str, to: io.StringIO | None = None) -> str:
    output = to or io.StringIO()
    call_command("jwt_revoke", *arguments, stdout=output, no_color=True)
    return output.getvalue()


@pytest.fixture
def old_sessions(phone: Device, laptop: Device) -> None:
    """One whose device data is due, one whose row is."""
    now = timezone.now()
    for device, days in [(phone, 100), (laptop, 400)]:
        rows = DeviceSession.objects.filter(pk=device.session_id)
        rows.update(ended_at=now - timedelta(days=days))


# --- the command line


def test_without_a_subcommand_it_is_a_usage_error() -> None:
    with pytest.raises(CommandError, match="COMMAND"):
        run()


def test_an_unknown_subcommand_is_a_usage_error() -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        run("undo")


@pytest.mark.parametrize("size", ["0", "-1", "many", "1.5", ""])
@pytest.mark.parametrize("subcommand", ["prune", "reconcile"])
def test_a_batch_size_that_is_no_positive_number(subcommand: str, size: str) -> None:
    with pytest.raises(CommandError, match="not a positive number"):
        run(subcommand, f"--batch-size={size}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "arguments",
    [
        ["prune"],
        ["reconcile"],
        ["revoke", "--user", "alice"],
        ["revoke", "--everyone"],
    ],
    ids=" ".join,
)
def test_a_database_that_does_not_answer_is_an_error_in_words(
    old_sessions: None, user: Any, arguments: list[str]
) -> None:
    get_user_model().objects.update(is_active=False)

    with broken_database(), pytest.raises(CommandError, match="did not answer"):
        run(*arguments)


# --- prune


def test_prune_says_what_it_did(old_sessions: None) -> None:
    assert run("prune") == (
        "Erased the device data of 2 sessions. Deleted 1 sessions and 0 revocations.\n"
    )


def test_prune_works_in_batches_of_the_size_given(old_sessions: None) -> None:
    assert "of 2 sessions" in run("prune", "--batch-size", "1")


def test_prune_shows_its_progress_to_a_terminal(old_sessions: None) -> None:
    shown = run("prune", "--batch-size", "1", to=Terminal())

    assert "\rerased: 1" in shown
    assert "\rsessions: 1" in shown
    assert shown.endswith(
        "\r\033[KErased the device data of 2 sessions. Deleted 1 sessions and 0 revocations.\n"
    )


def test_prune_writes_no_progress_into_a_log_file(old_sessions: None) -> None:
    assert "\r" not in run("prune", "--batch-size", "1")


# --- revoke


def test_revoke_needs_to_know_whom() -> None:
    with pytest.raises(CommandError, match="--user"):
        run("revoke")


def test_revoke_takes_one_of_them_only(user: Any) -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        run("revoke", "--user", "alice", "--everyone")


@pytest.mark.parametrize("how", [get_user_model().USERNAME_FIELD, "pk"])
def test_a_user_is_named_by_name_or_by_key(user: Any, phone: Device, how: str) -> None:
    bystander = Device(make_user("bob"))

    assert run("revoke", "--user", str(getattr(user, how))) == (
        "The tokens of alice are revoked.\n"
    )
    assert phone.standing == "revoked"
    assert bystander.standing == "live"


def test_a_name_goes_before_a_key(user: Any, phone: Device) -> None:
    other = Device(make_user(str(user.pk)))

    run("revoke", "--user", str(user.pk))

    assert [phone.standing, other.standing] == ["live", "revoked"]


@pytest.mark.parametrize("name", ["nobody", "999999", "9" * 40, ""])
def test_a_user_whom_there_is_not(user: Any, name: str) -> None:
    with pytest.raises(CommandError, match="no user of the name or key"):
        run("revoke", f"--user={name}")


def test_a_user_can_be_made_to_refresh_only(user: Any, phone: Device) -> None:
    run("revoke", "--user", "alice", "--effect", "access")

    assert phone.standing == "stale"
    phone.refresh_tokens()
    assert phone.standing == "live"


def test_an_unknown_effect_is_a_usage_error(user: Any) -> None:
    with pytest.raises(CommandError, match="invalid choice"):
        run("revoke", "--user", "alice", "--effect", "everything")


def test_reason_and_note_stand_in_the_log(user: Any) -> None:
    run("revoke", "--user", "alice", "--reason", "lost", "--note", "left on the train")

    entry = Revocation.objects.get()
    assert (entry.reason, entry.note, entry.actor) == ("lost", "left on the train", "")


def test_the_reason_is_revoked_unless_given(user: Any) -> None:
    run("revoke", "--user", "alice")

    assert Revocation.objects.get().reason == "revoked"


def test_a_session_is_named_by_its_id(phone: Device, laptop: Device) -> None:
    assert run("revoke", "--session", str(phone.session_id)) == "The session is ended.\n"
    assert [phone.standing, laptop.standing] == ["revoked", "live"]


def test_to_end_a_session_twice_is_harmless(phone: Device) -> None:
    run("revoke", "--session", str(phone.session_id))

    assert "had ended before" in run("revoke", "--session", str(phone.session_id))
    assert Revocation.objects.count() == 1


@pytest.mark.parametrize("key", [str(UUID(int=7)), "junk"])
def test_a_session_that_there_is_not_is_said(key: str) -> None:
    assert "there is none of that id" in run("revoke", "--session", key)


def test_a_session_cannot_be_made_to_refresh_only(phone: Device) -> None:
    with pytest.raises(CommandError, match="A session is ended"):
        run("revoke", "--session", str(phone.session_id), "--effect", "access")

    assert phone.standing == "live"


def test_everyone_is_logged_out(user: Any, phone: Device) -> None:
    other = Device(make_user("bob"))

    assert run("revoke", "--everyone") == "Everyone is logged out.\n"
    assert [phone.standing, other.standing] == ["revoked", "revoked"]


def test_everyone_can_be_made_to_refresh_only(phone: Device) -> None:
    assert run("revoke", "--everyone", "--effect", "access") == (
        "Everyone’s access tokens are revoked.\n"
    )
    assert phone.standing == "stale"


def test_everyone_twice_is_two_revocations(phone: Device) -> None:
    run("revoke", "--everyone")
    again = Device(phone.device_session.user)
    run("revoke", "--everyone")

    assert again.standing == "revoked"


# --- reconcile


def test_reconcile_says_what_it_found(user: Any, phone: Device) -> None:
    Device(make_user("bob"))
    get_user_model().objects.filter(pk=user.pk).update(is_active=False)

    assert run("reconcile") == "Looked at 2 accounts; 1 had changed unseen.\n"
    assert phone.standing == "revoked"


def test_reconcile_shows_its_progress_to_a_terminal(phone: Device) -> None:
    assert "\rseen: 1" in run("reconcile", "--batch-size", "1", to=Terminal())


# --- status


def test_status_shows_the_figures(phone: Device, laptop: Device) -> None:
    api.end_session(phone.session_id)
    lines = [line.split() for line in run("status").splitlines()]

    assert ["Live", "sessions", "1"] in lines
    assert ["Sessions", "kept", "2"] in lines
    assert ["Revocations", "kept", "1"] in lines
    assert ["Generation", "0"] in lines


def test_status_of_an_empty_log(db: None) -> None:
    lines = [line.split() for line in run("status").splitlines()]

    assert ["Newest", "revocation", "none"] in lines
