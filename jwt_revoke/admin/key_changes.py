"""What can be done to signing keys in the admin: what each change asks, tells, and does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final, cast

from django import forms
from django.contrib import messages
from django.http import Http404
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import key_compromise, signing_keys
from ..conf import conf
from ..database import persistently
from ..key_compromise import REFRESH
from ..key_listing import COMPROMISED, SIGNS, TO_SIGN, VERIFIES, WAITS, ListedKey, listed
from ..key_sources import lead, overlap
from ..keys import ASYMMETRIC
from ..log import Cause
from ..models import SigningKey
from ..signing_keys import Rotation
from ..standing import live_sessions
from .key_forms import AlgorithmForm, CompromiseForm, RetireForm

STORE: Final = "database"
TIME: Final = "Y-m-d H:i"
"""As the command writes it, and not as each language does: terms are compared."""


@dataclass(frozen=True, slots=True)
class Done:
    """What to say; and where a key was changed, what its history says of it.

    ``note`` is stored, so it is not in the language of whoever pressed the button.
    """

    text: str
    row: SigningKey | None = None
    note: str = ""

    @property
    def level(self) -> int:
        """How the message is shown: what was so already is no success."""
        return messages.INFO if self.row is None else messages.SUCCESS


class KeyChange(ABC):
    """One change. Making it looks the keys up, and raises as ``listed`` does."""

    title: ClassVar[Promise]
    template: ClassVar[str]
    of_store: ClassVar[bool] = True
    """Whether it is for keys that are kept in the database alone."""
    form_class: ClassVar[type[forms.Form]] = AlgorithmForm

    def __init__(self, using: str, kid: str = "") -> None:
        self.using = using
        self.keys = persistently(using, listed, using)

    def form(self, data: Mapping[str, Any] | None) -> forms.Form:
        """What it asks."""
        return self.form_class(data, initial={"algorithm": conf.ALGORITHM})

    def facts(self) -> dict[str, Any]:
        """What its page says will follow."""
        return {}

    @abstractmethod
    def do(self, actor: Any, data: Mapping[str, Any]) -> Done:
        """Do it. Raises ``KeyRefused`` and ``Unavailable``: then nothing is changed."""


class Create(KeyChange):
    """A new key, which waits."""

    title = gettext_lazy("Create a key")
    template = "jwt_revoke/admin/key_create.html"

    def do(self, actor: Any, data: Mapping[str, Any]) -> Done:
        algorithm = data["algorithm"] or None
        row = persistently(self.using, signing_keys.create, self.using, algorithm)
        text = _("“%(kid)s” is created and published. It signs after a rotation.")
        return Done(text % {"kid": row.kid}, row, "Created.")


class Rotate(KeyChange):
    """Another key signs, and the others go by themselves."""

    title = gettext_lazy("Rotate the keys")
    template = "jwt_revoke/admin/key_rotate.html"

    def facts(self) -> dict[str, Any]:
        """What would sign from when: a new key, or the one of that algorithm that waits longest."""
        now = timezone.now()
        ahead, beyond = timedelta(seconds=lead()), timedelta(seconds=overlap())
        waiting = [key.kid for key in self.keys if key.state == WAITS]
        rows = SigningKey.objects.using(self.using).in_bulk(waiting)
        taken: dict[str, dict[str, Any]] = {}
        for row in (rows[kid] for kid in waiting if kid in rows):
            begins = max(now, row.created_at + ahead)
            plan = {"key": row, "begins": begins, "ends": begins + beyond}
            taken.setdefault(row.algorithm, plan)
        return {
            "coming": next((key for key in self.keys if key.state == TO_SIGN), None),
            "taken": list(taken.values()),
            "begins": now + ahead,
            "ends": now + ahead + beyond,
        }

    def do(self, actor: Any, data: Mapping[str, Any]) -> Done:
        algorithm = data["algorithm"] or None
        found = persistently(self.using, signing_keys.rotate, self.using, algorithm)
        # None is for who asks for a rotation only if one is due.
        rotation = cast("Rotation", found)
        facts = {"kid": rotation.key.kid, "time": _local(rotation.key.not_before)}
        if not rotation.begun:
            return Done(_("Under way already: “%(kid)s” signs from %(time)s on.") % facts)
        text = _("“%(kid)s” signs from %(time)s on; the others retire by themselves.")
        return Done(text % facts, rotation.key, "To sign next.")


class ChangeOfOneKey(KeyChange):
    """One change of the key of that id. Making it raises ``Http404`` where there is none."""

    def __init__(self, using: str, kid: str = "") -> None:
        super().__init__(using)
        # Looked for in the list: what somebody typed never reaches the database.
        found = [key for key in self.keys if key.kid == kid]
        if not found:
            raise Http404
        self.key = found[0]

    def facts(self) -> dict[str, Any]:
        return {"key": self.key}


class Retire(ChangeOfOneKey):
    """A stored key that verifies nothing any more, before its time."""

    title = gettext_lazy("Retire the key")
    template = "jwt_revoke/admin/key_retire.html"
    form_class = RetireForm

    @staticmethod
    def is_for(key: ListedKey) -> bool:
        """Whether it can be done to that key as it stands."""
        return key.origin == STORE and key.state in {WAITS, VERIFIES}

    def form(self, data: Mapping[str, Any] | None) -> forms.Form:
        form = super().form(data)
        if self.key.state != VERIFIES:
            del form.fields["force"]  # it never signed
        return form

    def facts(self) -> dict[str, Any]:
        return {**super().facts(), "is_refused": not self.is_for(self.key)}

    def do(self, actor: Any, data: Mapping[str, Any]) -> Done:
        force = data.get("force", False)
        kid = self.key.kid
        row = persistently(self.using, signing_keys.retire, self.using, kid, force=force)
        return Done(_("“%(kid)s” is retired.") % {"kid": kid}, row, "Retired.")


class Compromise(ChangeOfOneKey):
    """A key that somebody else has, wherever it is kept."""

    title = gettext_lazy("Mark the key as compromised")
    template = "jwt_revoke/admin/key_compromised.html"
    of_store = False
    form_class = CompromiseForm

    def form(self, data: Mapping[str, Any] | None) -> forms.Form:
        form = super().form(data)
        if self.key.algorithm == REFRESH:
            del form.fields["effect"]  # it is always the sessions
        if not self._is_replaced():
            del form.fields["algorithm"]
        return form

    def facts(self) -> dict[str, Any]:
        return {
            **super().facts(),
            "is_marked": self.key.state == COMPROMISED,
            "is_published": self.key.algorithm in ASYMMETRIC,
            "is_of_refresh_tokens": self.key.algorithm == REFRESH,
            "is_replaced": self._is_replaced(),
            "is_stored": conf.KEY_STORE == STORE,
            "session_count": live_sessions(self.using).count(),
        }

    def do(self, actor: Any, data: Mapping[str, Any]) -> Done:
        kid, effect, algorithm = self.key.kid, data.get("effect"), data.get("algorithm") or None
        cause = Cause.of(key_compromise.REASON, actor, data["note"])
        compromise = partial(key_compromise.compromise, effect=effect, algorithm=algorithm)
        marked = persistently(self.using, compromise, self.using, kid, cause)
        if not marked:
            return Done(_("“%(kid)s” was marked before.") % {"kid": kid})
        text = _("“%(kid)s” verifies nothing any more, and everybody’s tokens are revoked.")
        row = SigningKey.objects.using(self.using).get(pk=kid)
        return Done(text % {"kid": kid}, row, "Compromised.")

    def _is_replaced(self) -> bool:
        """Whether a new key is stored and signs at once, since no other stored key does."""
        if conf.KEY_STORE != STORE or self.key.algorithm == REFRESH:
            return False
        has_row = self.key.origin in {STORE, ""}
        waits = has_row and self.key.not_before is None
        others = [key for key in self.keys if key.kid != self.key.kid]
        return not waits and not any(key.origin == STORE and key.state == SIGNS for key in others)


def _local(moment: datetime | None) -> str:
    aware = moment is not None and timezone.is_aware(moment)
    shown = timezone.localtime(moment) if aware else moment
    return date_format(shown, TIME) if shown else ""
