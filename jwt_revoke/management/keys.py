"""``manage.py jwt_revoke keys create|list|rotate|retire|compromised``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from jwt_revoke import key_compromise, key_listing, signing_keys
from jwt_revoke.clock import shown
from jwt_revoke.conf import conf
from jwt_revoke.database import persistently
from jwt_revoke.keys import ASYMMETRIC, SYMMETRIC
from jwt_revoke.log import Cause
from jwt_revoke.models import EFFECT_ACCESS, EFFECT_SESSION

Done = str | list[list[str]]
"""A sentence to say, or a table."""


def add_key_arguments(parser: CommandParser) -> None:
    """Give the parser its five commands."""
    commands = parser.add_subparsers(dest="key_command", required=True, metavar="COMMAND")
    create = commands.add_parser(
        "create", help="Store a new key. It is published at once, and signs after a rotation."
    )
    commands.add_parser("list", help="Show all keys, and how each stands.")
    rotate = commands.add_parser(
        "rotate", help="Let a new key sign as soon as everybody has seen it. Once is enough."
    )
    rotate.add_argument(
        "--due",
        action="store_true",
        help="Only if the newest is KEY_ROTATION_PERIOD old: for cron, on any number of machines.",
    )
    retire = commands.add_parser(
        "retire", help="Let a key verify nothing any more, sooner than a rotation would."
    )
    retire.add_argument(
        "--force", action="store_true", help="Although tokens that it signed may still live."
    )
    compromised = commands.add_parser(
        "compromised",
        help="A key has leaked: it verifies nothing from now on, and everybody’s tokens are "
        "revoked.",
    )
    compromised.add_argument(
        "--effect",
        choices=[EFFECT_ACCESS, EFFECT_SESSION],
        help="access (default): clients refresh under another key. session (always so for a "
        "refresh key): everybody signs in again.",
    )
    compromised.add_argument(
        "--force", action="store_true", help="Although no key of that id is known any more."
    )
    compromised.add_argument("--note", default="", help="A sentence for the log.")
    for one in (retire, compromised):
        one.add_argument(
            "kid",
            metavar="KID",
            help="The key’s id, as `keys list` shows it; after -- where it begins with a hyphen.",
        )
    for one in (create, rotate, compromised):
        one.add_argument(
            "--algorithm",
            choices=[*SYMMETRIC, *ASYMMETRIC],
            help="Of a new key. Default: the setting ALGORITHM.",
        )


def _create(using: str, options: Mapping[str, Any]) -> Done:
    key = persistently(using, signing_keys.create, using, options["algorithm"])
    return _("“%(kid)s” is created and published. It signs after a rotation.") % {"kid": key.kid}


def _list(using: str, _options: Mapping[str, Any]) -> Done:
    head = [_("Key"), _("algorithm"), _("kept in"), _("state"), _("signs from"), _("until")]
    rows = [[*head, _("verifies until")]]
    for key in key_listing.listed(using):
        times = map(_time, (key.not_before, key.signs_until, key.verifies_until))
        rows.append([key.kid, key.algorithm, key.origin, _(key.state), *times])
    return rows


def _rotate(using: str, options: Mapping[str, Any]) -> Done:
    algorithm, due = options["algorithm"], options["due"]
    rotation = persistently(using, signing_keys.rotate, using, algorithm, due_only=due)
    if rotation is None:
        if conf.KEY_ROTATION_PERIOD is None:
            return _("No rotation is ever due: JWT_REVOKE['KEY_ROTATION_PERIOD'] is not set.")
        return _("No rotation is due.")
    text = (
        _("“%(kid)s” signs from %(time)s on; the others retire by themselves.")
        if rotation.begun
        else _("Under way already: “%(kid)s” signs from %(time)s on.")
    )
    return text % {"kid": rotation.key.kid, "time": _time(rotation.key.not_before)}


def _retire(using: str, options: Mapping[str, Any]) -> Done:
    persistently(using, signing_keys.retire, using, options["kid"], force=options["force"])
    return _("“%(kid)s” is retired.") % {"kid": options["kid"]}


def _compromised(using: str, options: Mapping[str, Any]) -> Done:
    cause = Cause(key_compromise.REASON, note=options["note"])
    compromise = partial(key_compromise.compromise, force=options["force"])
    done = persistently(
        *(using, compromise, using, options["kid"], cause),
        *(options["effect"], options["algorithm"]),
    )
    if not done:
        text = _("“%(kid)s” was marked before. To end everybody’s sessions too: revoke --everyone")
        return text % {"kid": options["kid"]}
    return _("“%(kid)s” verifies nothing any more, and everybody’s tokens are revoked.") % {
        "kid": options["kid"]
    }


def _time(moment: datetime | None) -> str:
    return "" if moment is None else shown(moment)


KEY_COMMANDS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], Done]]] = {
    "create": _create,
    "list": _list,
    "rotate": _rotate,
    "retire": _retire,
    "compromised": _compromised,
}
