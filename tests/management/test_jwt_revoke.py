"""``manage.py jwt_revoke``: what an operator types, and what is printed."""

from __future__ import annotations

import io
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone

from jwt_revoke import api, canary, processes
from jwt_revoke.canary import Site, Worker
from jwt_revoke.management.commands.jwt_revoke import Command
from jwt_revoke.models import DeviceSession, ReplicaProcess, Revocation
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


def test_status_says_which_backend_there_is(db: None) -> None:
    shown = run("status")

    assert "Backend             jwt_revoke.backends.database.DatabaseBackend\n" in shown
    assert "Newest number" not in shown
    assert "process" not in shown


@pytest.fixture
def replica(settings: Any) -> None:
    path = "jwt_revoke.backends.replica.ReplicaBackend"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}


def add_process(number: int, **figures: Any) -> None:
    given = {"log": "database", "max_staleness": 0.25, "age": 0.1, "behind": 0, "entries": 7}
    given |= {"fallbacks": 1, "reads": 9, **figures}
    processes.report("default", UUID(int=number), timezone.now(), given)
    rows = ReplicaProcess.objects.filter(pk=UUID(int=number))
    rows.update(host="web1", pid=4710 + number)


def test_status_of_a_replica_that_nobody_runs(replica: None, phone: Device) -> None:
    api.end_session(phone.session_id)
    Revocation.objects.update(sequence=None)

    lines = [line.split() for line in run("status").splitlines()]

    assert ["Log", "followed", "database"] in lines
    assert ["May", "be", "behind", "0", "s"] in lines
    assert ["Newest", "number", "0"] in lines
    assert ["Without", "a", "number", "1"] in lines
    (waits,) = [line for line in lines if line[:3] == ["The", "oldest", "of"]]
    assert waits[-1] == "s"
    assert lines[-1] == ["No", "replica", "process", "was", "seen", "of", "late."]


def test_status_has_a_line_for_each_process(replica: None, db: None) -> None:
    add_process(1)
    add_process(2, log="redis", age=8.0, behind=3)
    add_process(3, age=None, behind=None, entries=0, fallbacks=12)

    lines = [line.split() for line in run("status").splitlines()]

    assert ["Replica", "process", "log", "behind", "last", "read", "entries", "fallbacks"] in lines
    assert lines[-3:] == [
        ["web1:4711", "database", "0", "0.10", "s", "7", "1"],
        ["web1:4712", "redis", "3", "idle", "7", "1"],
        ["web1:4713", "database", "?", "not", "reading", "0", "12"],
    ]


def test_status_shows_processes_where_another_backend_is_configured_here(db: None) -> None:
    add_process(1)

    assert "web1:4711" in run("status")


# --- canary


def measuring(monkeypatch: pytest.MonkeyPatch, *rounds: dict[str, Worker]) -> dict[str, Any]:
    """Has the command get these measurements; what it asked for."""
    asked: dict[str, Any] = {}

    def measure(site: Site, user: Any, **options: Any) -> Any:
        asked.update(options, user=user, site=site)
        yield from rounds

    monkeypatch.setattr(canary, "measure", measure)
    return asked


def test_canary_prints_what_each_worker_took(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    key = str(UUID(int=7))
    found = {
        key: Worker(refused=[0.01, 0.03, 0.02], accepted=[], checks=30),
        "other": Worker(refused=[], accepted=[0.0051], checks=4),
    }
    measuring(monkeypatch, found)

    lines = [line.split() for line in run("canary", "--user", "alice").splitlines()]

    assert lines == [
        ["Worker", "refused", "after:", "p50", "p99", "max", "ms", "accepted", "until", "checks"],
        [key, "20.0", "30.0", "30.0", "–", "30"],
        ["other", "–", "–", "–", "5.1", "4"],
        ["all", "20.0", "30.0", "30.0", "5.1", "34"],
    ]


def test_canary_names_the_workers_that_report(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    add_process(7)
    measuring(monkeypatch, {str(UUID(int=7)): Worker(refused=[0.01])})

    assert "\nweb1:4717 " in run("canary", "--user", "alice")


def test_canary_is_asked_as_the_operator_says(
    replica: None, user: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "OPTIONS": {"max_staleness": 0.25}}
    asked = measuring(monkeypatch, {"a": Worker(refused=[0.2], accepted=[0.2])})

    run("canary", "--user", "alice", "--workers", "4", "--rounds", "3")

    assert asked.pop("site")
    assert asked == {"user": user, "bound": 0.25, "rounds": 3, "wanted": 4}


def test_canary_fails_when_a_worker_is_late(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 1."""
    measuring(monkeypatch, {"a": Worker(accepted=[0.1]), "b": Worker(refused=[0.001])})
    output = io.StringIO()

    with pytest.raises(CommandError, match="1 of 2 workers accepted later than 0 s") as caught:
        run("canary", "--user", "alice", to=output)

    assert caught.value.returncode == 1
    assert "\na " in output.getvalue()


def test_canary_needs_a_user(db: None) -> None:
    with pytest.raises(CommandError, match="--user"):
        run("canary")


def test_canary_of_a_user_who_cannot_sign_in(user: Any) -> None:
    get_user_model().objects.update(is_active=False)

    with pytest.raises(CommandError, match="cannot sign in"):
        run("canary", "--user", "alice")


def test_canary_of_an_address_where_nobody_is(user: Any) -> None:
    with pytest.raises(CommandError, match="ConnectionRefusedError"):
        run("canary", "--user", "alice", "--url", "http://127.0.0.1:1/")

    assert not DeviceSession.objects.filter(ended_at__isnull=True).exists()


def test_canary_shows_its_progress_to_a_terminal(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {"a": Worker(refused=[0.001], checks=12)}
    measuring(monkeypatch, found)

    assert "\rchecks: 12\r\033[KWorker" in run("canary", "--user", "alice", to=Terminal())


def test_canary_ends_in_order_when_its_time_is_up(
    user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``timeout 60 manage.py jwt_revoke canary``: the session it opened does not stay."""
    ended = []

    def measure(*_args: Any, **_options: Any) -> Any:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            yield {}
        finally:
            ended.append(True)

    monkeypatch.setattr(canary, "measure", measure)
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(SystemExit) as caught:
        run("canary", "--user", "alice")

    assert (caught.value.code, ended) == (143, [True])
    assert signal.getsignal(signal.SIGTERM) is before


def test_canary_runs_in_any_thread(user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the main thread may hear signals."""
    measuring(monkeypatch, {"a": Worker(refused=[0.001])})
    command = Command(stdout=io.StringIO())
    monkeypatch.setattr(command, "_user", lambda _using, _given: user)
    monkeypatch.setattr(processes, "live", lambda _using: [])
    options = {"user": "alice", "url": "http://localhost/", "rounds": 1, "workers": None}
    with ThreadPoolExecutor(1) as pool:
        pool.submit(command.canary, "default", options).result()
