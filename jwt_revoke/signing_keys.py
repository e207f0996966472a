"""Stored keys from the cradle to the grave: created, rotated, retired (s34).

Every term is set in one transaction when a rotation begins, and each process keeps to it by its
clock: published, then signing, then verifying what is still out, then nothing. So nobody has to
come back at the right moment, and a rotation that was begun needs no second command.

Whoever changes keys holds the row of the generation: two machines whose cron runs at once do not
both make one. Nobody else ever locks it but a revocation of everyone.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from .clock import shown
from .conf import conf
from .database import atomically, insert_missing, lock_rows
from .encryption import decrypt, encrypt, is_current
from .exceptions import JWTRevokeError
from .key_sources import lead, overlap
from .keys import KeyUnusable, load_key, make_material
from .keystore import forget_keys
from .models import ONLY_ROW, Generation, SigningKey
from .secrecy import secret_locals

logger: Final = logging.getLogger("jwt_revoke")


class KeyRefused(JWTRevokeError):
    """What was asked of a key cannot be done; ``detail`` says what to do instead, translated."""

    slug = "key_refused"


@dataclass(frozen=True, slots=True)
class Rotation:
    """The key that signs next, and whether this call made it so."""

    key: SigningKey
    begun: bool


@secret_locals
def create(using: str, algorithm: str | None = None) -> SigningKey:
    """A new stored key, which is published at once and signs once a rotation takes it.

    ``algorithm``: the setting ``ALGORITHM`` by default. Raises ``KeyRefused``.
    """
    _require_store()
    with atomically(using, refusable=True):
        lock_keys(using)
        key = make_key(using, algorithm or conf.ALGORITHM)
        forget_after_commit(using)
    return key


@secret_locals
def rotate(using: str, algorithm: str | None = None, *, due_only: bool = False) -> Rotation | None:
    """Let a new key sign once everybody has seen it, and the others go when their tokens have.

    A key that waits is taken, or one is made. Where a rotation is under way already nothing
    happens. ``due_only``: nor unless the newest key will be ``KEY_ROTATION_PERIOD`` old by the
    time that another could sign; then ``None``. Also brings what is stored under the first of
    ``KEY_ENCRYPTION_KEYS``. Raises ``KeyRefused``.
    """
    _require_store()
    with atomically(using, refusable=True):
        lock_keys(using)
        _encrypt_anew(using)
        now = timezone.now()
        keys = sound_keys(using)
        coming = keys.filter(not_before__gt=now).order_by("not_before").first()
        if coming is not None:
            return Rotation(coming, begun=False)
        if due_only and not _is_due(keys, now):
            return None
        waiting = keys.filter(not_before=None, verifies_until=None)
        key = waiting.filter(algorithm=algorithm or conf.ALGORITHM).order_by("created_at").first()
        if key is None:
            key = make_key(using, algorithm or conf.ALGORITHM)
        begins = max(now, key.created_at + timedelta(seconds=lead()))
        succeed(using, key, begins)
        forget_after_commit(using)
    logger.info("Signing keys: %s signs from %s", key.kid, begins)
    return Rotation(key, begun=True)


def retire(using: str, kid: str, *, force: bool = False) -> SigningKey:
    """Let a stored key verify nothing any more, sooner than its term says.

    Refused for the key that signs or is to sign, and (unless ``force``) while a token that it
    signed may live. Raises ``KeyRefused``.
    """
    with atomically(using, refusable=True):
        lock_keys(using)
        key = sound_keys(using).filter(kid=kid).first()
        if key is None:
            raise KeyRefused(_("There is no stored key of that id which could be retired."))
        now = timezone.now()
        if key.not_before is not None and (key.signs_until is None or key.signs_until > now):
            raise KeyRefused(
                _("That key signs, or is to sign: rotate first, or mark it as compromised.")
            )
        if key.verifies_until is not None:
            if key.verifies_until <= now:
                return key
            if not force:
                raise KeyRefused(
                    _("Tokens that it signed may live until %s: it retires by itself then.")
                    % shown(key.verifies_until)
                )
        key.signs_until = key.verifies_until = now
        key.private = ""
        key.save(using=using)
        forget_after_commit(using)
    logger.info("Signing keys: %s retired", kid)
    return key


def _require_store() -> None:
    if conf.KEY_STORE != "database":
        raise KeyRefused(
            _(
                "The keys are not in the database: set JWT_REVOKE['KEY_STORE'] to \"database\", "
                "or change SIGNING_KEYS by hand."
            )
        )


def lock_keys(using: str) -> None:
    """Hold every change of keys back but this transaction's."""
    rows = Generation.objects.using(using).filter(pk=ONLY_ROW)
    # An update that changes nothing: the one lock that every database has.
    if not rows.update(value=F("value")):
        insert_missing(using, Generation(pk=ONLY_ROW))
        rows.update(value=F("value"))


def sound_keys(using: str) -> QuerySet[SigningKey]:
    """The stored keys that are not compromised."""
    # Locked, although whoever changes them holds the lock: a snapshot that began before would show
    # a key as it was before it was marked.
    return lock_rows(SigningKey.objects.using(using)).filter(compromised_at=None)


def make_key(using: str, algorithm: str) -> SigningKey:
    """A new stored key, without terms. Raises ``KeyRefused``."""
    try:
        # On a command line an id that begins with a hyphen would be an option.
        while (key := load_key(algorithm, material := make_material(algorithm))).kid[0] == "-":
            pass
        row = SigningKey(
            kid=key.kid,
            algorithm=algorithm,
            public=json.dumps(key.public) if key.public else "",
            private=encrypt(material),
            created_at=timezone.now(),
        )
    except KeyUnusable as error:
        raise KeyRefused(str(error)) from None
    row.save(using=using, force_insert=True)
    logger.info("Signing keys: %s (%s) created", row.kid, algorithm)
    return row


def _is_due(keys: QuerySet[SigningKey], now: datetime) -> bool:
    newest = keys.exclude(not_before=None).order_by("-not_before").first()
    if conf.KEY_ROTATION_PERIOD is None:
        return False
    if newest is None or newest.not_before is None:
        return True
    return now + timedelta(seconds=lead()) >= newest.not_before + conf.KEY_ROTATION_PERIOD


def succeed(using: str, key: SigningKey, begins: datetime) -> None:
    """From then on ``key`` signs, and what signs before it does no more."""
    key.not_before = begins
    key.save(using=using, update_fields=["not_before"])
    earlier = sound_keys(using).exclude(kid=key.kid).filter(not_before__lte=begins)
    earlier.filter(Q(signs_until=None) | Q(signs_until__gt=begins)).update(
        signs_until=begins, verifies_until=begins + timedelta(seconds=overlap())
    )


def _encrypt_anew(using: str) -> None:
    """Bring what is stored under the first encryption key, so that an older one can go."""
    for row in sound_keys(using).exclude(private=""):
        try:
            if not is_current(row.private):
                row.private = encrypt(decrypt(row.private))
                row.save(using=using, update_fields=["private"])
        except KeyUnusable as error:
            logger.error("Stored key %s: %s", row.kid, error)  # noqa: TRY400  (says all there is)


def forget_after_commit(using: str) -> None:
    """Let this process read the keys again, once they are changed."""
    transaction.on_commit(forget_keys, using=using, robust=True)
