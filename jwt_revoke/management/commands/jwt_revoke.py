"""``manage.py jwt_revoke prune|revoke|reconcile|status|canary|keys``."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from jwt_revoke import api, canary, maintenance, processes
from jwt_revoke.backends.base import get_backend
from jwt_revoke.conf import conf
from jwt_revoke.exceptions import SignInRefused, Unavailable
from jwt_revoke.management.keys import KEY_COMMANDS, add_key_arguments
from jwt_revoke.management.tables import of_processes, of_workers
from jwt_revoke.models import EFFECT_ACCESS, EFFECT_SESSION, write_alias
from jwt_revoke.signing_keys import KeyRefused


class Command(BaseCommand):
    """One command; each subcommand can be run again without harm."""

    help = "Revoke tokens, and look after the tables of jwt_revoke."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")

        prune = commands.add_parser(
            "prune", help="Erase and delete what the retention settings let go. Run it daily."
        )
        prune.set_defaults(run=self.prune)

        revoke = commands.add_parser("revoke", help="Revoke a user's, a session's or all tokens.")
        whom = revoke.add_mutually_exclusive_group(required=True)
        whom.add_argument("--user", metavar="NAME", help="The user's name, or primary key.")
        whom.add_argument("--session", metavar="ID", help="The session's id.")
        whom.add_argument("--everyone", action="store_true", help="Log everybody out.")
        revoke.add_argument(
            "--effect",
            choices=[EFFECT_SESSION, EFFECT_ACCESS],
            default=EFFECT_SESSION,
            help="access: clients refresh and go on. session (default): they sign in again.",
        )
        revoke.add_argument("--reason", default="revoked", help="A short word for the log.")
        revoke.add_argument("--note", default="", help="A sentence for the log.")
        revoke.set_defaults(run=self.revoke)

        reconcile = commands.add_parser(
            "reconcile",
            help="Find account changes that no signal saw (raw SQL), and revoke for them.",
        )
        reconcile.set_defaults(run=self.reconcile)

        for batched in (prune, reconcile):
            batched.add_argument("--batch-size", type=_positive, default=1000, metavar="ROWS")

        status = commands.add_parser(
            "status", help="Show how many sessions and revocations, and who follows the log."
        )
        status.set_defaults(run=self.status)

        keys = commands.add_parser("keys", help="Create, rotate and retire the signing keys.")
        add_key_arguments(keys)
        keys.set_defaults(run=self.keys)

        canary = commands.add_parser(
            "canary",
            help="Revoke sessions of a user's, and time how long each live worker takes to refuse "
            "them. Exits with 1 when one took longer than it may.",
        )
        canary.add_argument("--user", required=True, metavar="NAME", help="Best one of its own.")
        canary.add_argument(
            "--url",
            default="http://127.0.0.1:8000/api/auth/",
            help="Where the site has jwt_revoke.urls. Default: %(default)s",
        )
        canary.add_argument(
            "--workers",
            type=_positive,
            metavar="N",
            help="How many there are. Default: until none is new for two seconds.",
        )
        canary.add_argument("--rounds", type=_positive, default=10, metavar="N")
        canary.set_defaults(run=self.canary)

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            options["run"](write_alias(), options)
        except Unavailable as error:
            raise CommandError(
                _("The database did not answer (%s). Nothing was half done: run it again.")
                % error.detail
            ) from error

    def prune(self, using: str, options: dict[str, Any]) -> None:
        """Erase, then delete, in batches."""
        done = maintenance.prune(using, options["batch_size"], self._progress)
        self._say(
            _("Erased the device data of %(erased)d sessions.")
            + " "
            + _("Deleted %(sessions)d sessions and %(revocations)d revocations."),
            done,
        )

    def revoke(self, using: str, options: dict[str, Any]) -> None:
        """Revoke for one user, one session, or everyone."""
        why = {"reason": options["reason"], "note": options["note"]}
        if options["everyone"]:
            api.revoke_everyone(effect=options["effect"], **why)
            if options["effect"] == EFFECT_SESSION:
                self._say(_("Everyone is logged out."), {})
            else:
                self._say(_("Everyone’s access tokens are revoked."), {})
        elif options["session"]:
            if options["effect"] != EFFECT_SESSION:
                raise CommandError(_("A session is ended; --effect access is for users."))
            if api.revoke_session(options["session"], **why):
                self._say(_("The session is ended."), {})
            else:
                self._say(_("The session had ended before, or there is none of that id."), {})
        else:
            user = self._user(using, options["user"])
            api.revoke_user(user, effect=options["effect"], **why)
            self._say(_("The tokens of %(name)s are revoked."), {"name": user.get_username()})

    def reconcile(self, using: str, options: dict[str, Any]) -> None:
        """Compare every account with its fingerprints."""
        done = maintenance.reconcile(using, options["batch_size"], self._progress)
        self._say(_("Looked at %(seen)d accounts; %(changed)d had changed unseen."), done)

    def status(self, using: str, _options: dict[str, Any]) -> None:
        """A few figures."""
        found = maintenance.status(using)
        rows = {
            _("Live sessions"): found.live_sessions,
            _("Sessions kept"): found.sessions,
            _("Users with a state"): found.users_with_state,
            _("Revocations kept"): found.revocations,
            _("Newest revocation"): found.newest_revocation or _("none"),
            _("Generation"): found.generation,
        }
        rows[_("Backend")] = conf.BACKEND
        rows |= found.backend
        if found.log is not None:
            rows[_("Newest number")] = found.log.newest
            rows[_("Without a number")] = found.log.unnumbered
        if found.oldest_wait is not None:
            seconds = found.oldest_wait.total_seconds()
            rows[_("The oldest of them waits")] = _("%(seconds).1f s") % {"seconds": seconds}
        width = max(map(len, rows))
        for name, value in rows.items():
            self.stdout.write(f"{name:<{width}}  {value}")
        if found.processes or found.log is not None:
            self.stdout.write("")
            self._table(of_processes(found.processes))

    def keys(self, using: str, options: dict[str, Any]) -> None:
        """Show or change the signing keys."""
        try:
            done = KEY_COMMANDS[options["key_command"]](using, options)
        except KeyRefused as refused:
            raise CommandError(refused.detail) from refused
        if isinstance(done, str):
            self._say(done, {})
        else:
            self._table(done)

    def canary(self, using: str, options: dict[str, Any]) -> None:
        """Measure, and say how it went."""
        user, bound = self._user(using, options["user"]), get_backend().max_staleness
        found: Mapping[str, canary.Worker] = {}
        try:
            with _ended_in_order():
                for found in canary.measure(
                    canary.Site(options["url"]),
                    user,
                    bound=bound,
                    rounds=options["rounds"],
                    wanted=options["workers"],
                ):
                    self._progress("checks", sum(worker.checks for worker in found.values()))
        except canary.CanaryFailed as failed:
            raise CommandError(failed.detail) from failed
        except SignInRefused as refused:
            raise CommandError(_("That user cannot sign in: %s") % refused.detail) from refused
        self._end_progress()
        self._table(of_workers(found, {str(row.pk): str(row) for row in processes.live(using)}))
        late = [name for name, worker in found.items() if canary.is_late(worker, bound)]
        if late:
            raise CommandError(
                _("%(late)d of %(all)d workers accepted later than %(bound)g s after the call.")
                % {"late": len(late), "all": len(found), "bound": bound}
            )

    def _table(self, rows: Sequence[Sequence[str]]) -> None:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for first, *others in rows:
            cells = [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
            self.stdout.write("  ".join([f"{first:<{widths[0]}}", *cells]))

    def _user(self, using: str, given: str) -> Any:
        model = get_user_model()
        # The base manager: an operator also reaches whom the site's own manager hides.
        users = model._base_manager.using(using)
        for field in (model.USERNAME_FIELD, "pk"):
            try:
                user = users.filter(**{field: given}).first()
            except (ValueError, ValidationError):
                continue  # not of that field's type
            if user is not None:
                return user
        raise CommandError(_("There is no user of the name or key “%s”.") % given)

    def _progress(self, what: str, done: int) -> None:
        if self.stdout.isatty():
            self.stdout.write(f"\r{what}: {done}", ending="")
            self.stdout.flush()

    def _end_progress(self) -> None:
        if self.stdout.isatty():
            self.stdout.write("\r\033[K", ending="")

    def _say(self, text: str, figures: dict[str, Any]) -> None:
        self._end_progress()
        self.stdout.write(self.style.SUCCESS(text % figures))


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM, as a time limit sends it, leaves the block as Ctrl-C does: no canary stays live."""
    if threading.current_thread() is not threading.main_thread():
        yield  # no other may ask for signals
        return
    before = signal.signal(signal.SIGTERM, lambda *_received: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(_("not a positive number"))
    return int(text)
