"""A key has leaked: it verifies nothing any more, whatever store it is of (s10).

Its mark and the generation rise in one transaction; how the processes hear of it: ``keystore.py``.
"""

from __future__ import annotations

import logging
import re
from typing import Final

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from .conf import conf
from .database import atomically, lock_rows
from .key_sources import configured_keys, configured_refresh_keys
from .log import Cause, publish_again
from .models import EFFECT_ACCESS, EFFECT_SESSION, SigningKey
from .revocation import revoke_everyone
from .secrecy import secret_locals
from .signing_keys import (
    KeyRefused,
    forget_after_commit,
    lock_keys,
    make_key,
    sound_keys,
    succeed,
)

logger: Final = logging.getLogger("jwt_revoke")

REASON: Final = "key_compromised"
REFRESH: Final = "refresh"
"""``algorithm`` of the row that marks a compromised key of the refresh tokens."""
_REFRESH_ID: Final = re.compile("[0-9a-f]{8}")


@secret_locals
def compromise(
    using: str,
    kid: str,
    cause: Cause,
    effect: str | None = None,
    algorithm: str | None = None,
    *,
    force: bool = False,
) -> bool:
    """That key verifies nothing any more, anywhere, within the backend's bound; False = already.

    ``kid``: of a stored key, of one in the settings or in a file, or the id of a refresh key. With
    it goes a revocation of everyone: effect ``access`` where the key signed access tokens (clients
    refresh under another key), ``session`` where it signed refresh tokens. Where no other key
    signs, a new one (of ``algorithm``) is stored and signs at once. Raises ``KeyRefused``; for an
    id that is nobody's (one that was taken out of the settings already) unless ``force``.
    """
    with atomically(using, refusable=True):
        lock_keys(using)
        known = lock_rows(SigningKey.objects.using(using)).filter(kid=kid).first()
        if known is not None and known.compromised_at is not None:
            publish_again(using)
            return False
        row = known or _mark_of(kid, force=force)
        if row.algorithm == REFRESH:
            _require_another(using, [key.key_id.hex() for key in configured_refresh_keys()], kid)
            effect = EFFECT_SESSION
        now = timezone.now()
        row.compromised_at = row.verifies_until = row.signs_until = now
        row.private = ""
        row.save(using=using)
        if row.algorithm != REFRESH:
            stored = known is not None
            _replace(using, row, stored=stored, algorithm=algorithm or conf.ALGORITHM)
        forget_after_commit(using)
        revoke_everyone(using, cause, effect or EFFECT_ACCESS)
    logger.warning("Signing keys: %s is compromised", kid)
    return True


def _replace(using: str, lost: SigningKey, *, stored: bool, algorithm: str) -> None:
    """See that some key signs from now on, that the thief does not have."""
    if conf.KEY_STORE != "database":
        _require_another(using, [timed.key.kid for timed in configured_keys()], lost.kid)
        return
    if stored and lost.not_before is None:
        return  # it waited
    now = timezone.now()
    keys = sound_keys(using)
    signing = keys.filter(Q(signs_until=None) | Q(signs_until__gt=now), not_before__lte=now)
    if signing.exists():
        if lost.not_before is not None and lost.not_before > now:
            # It was to be succeeded by the one that is lost, and goes on.
            signing.update(signs_until=None, verifies_until=None)
        return
    coming = keys.filter(not_before__gt=now).order_by("not_before").first()
    succeed(using, make_key(using, algorithm), now)
    if coming is not None:
        succeed(using, coming, coming.not_before or now)


def _mark_of(kid: str, *, force: bool) -> SigningKey:
    """A row for a key that is not stored."""
    now = timezone.now()
    for timed in configured_keys():
        if timed.key.kid == kid:
            return SigningKey(kid=kid, algorithm=timed.key.algorithm, created_at=now)
    for key in configured_refresh_keys():
        if key.key_id.hex() == kid:
            return SigningKey(kid=kid, algorithm=REFRESH, created_at=now)
    if not force:
        raise KeyRefused(_("There is no key of that id."))
    algorithm = REFRESH if _REFRESH_ID.fullmatch(kid) else ""
    return SigningKey(kid=kid, algorithm=algorithm, created_at=now)


def _require_another(using: str, configured: list[str], kid: str) -> None:
    rows = lock_rows(SigningKey.objects.using(using)).exclude(compromised_at=None)
    marked = {kid, *rows.values_list("kid", flat=True)}
    if not set(configured) - marked:
        raise KeyRefused(
            _(
                "It is the only key there: put a new one first in the settings, deploy, and then "
                "mark this one."
            )
        )
