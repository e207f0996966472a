"""``manage.py jwt_revoke prune|revoke|reconcile|status``."""

from __future__ import annotations

import argparse
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from jwt_revoke import api, maintenance
from jwt_revoke.exceptions import Unavailable
from jwt_revoke.models import EFFECT_ACCESS, EFFECT_SESSION, write_alias


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

        status = commands.add_parser("status", help="Show how many sessions and revocations.")
        status.set_defaults(run=self.status)

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
        width = max(map(len, rows))
        for name, value in rows.items():
            self.stdout.write(f"{name:<{width}}  {value}")

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

    def _say(self, text: str, figures: dict[str, Any]) -> None:
        if self.stdout.isatty():
            self.stdout.write("\r\033[K", ending="")
        self.stdout.write(self.style.SUCCESS(text % figures))


def _positive(text: str) -> int:
    if not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(_("not a positive number"))
    return int(text)
