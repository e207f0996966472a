"""The tables (DESIGN §4). Views, admin, commands and receivers never write them themselves.

Keys to the user carry no database constraint and no cascade: our rows must never stand in the way
of deleting a user, by the admin (which asks for permission on every cascaded row) or by raw SQL.
``pre_delete`` removes them; what raw SQL leaves behind is found by ``jwt_revoke reconcile``.
"""

from __future__ import annotations

import uuid
from typing import Final

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, models, router
from django.utils.translation import gettext_lazy as _

from .user_agents import MAX_NAME, MAX_USER_AGENT

SCOPE_TOKEN: Final = "token"  # noqa: S105  (a word, no secret)
SCOPE_SESSION: Final = "session"
SCOPE_USER: Final = "user"
SCOPE_EVERYONE: Final = "everyone"

EFFECT_ACCESS: Final = "access"
EFFECT_SESSION: Final = "session"

ONLY_ROW: Final = 1
"""Primary key of the one row of ``Generation`` and of ``LogCounter``."""


class UserTokenState(models.Model):
    """One user's standing: what a token must at least say to live.

    ``version`` and ``session_floor`` are milliseconds since 1970 that only ever grow; the
    fingerprints are SHA-256 in hex, ``""`` until the first sign-in takes them.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        primary_key=True,
        related_name="jwt_revoke_state",
        verbose_name=_("user"),
    )
    version = models.BigIntegerField(_("version"))
    session_floor = models.BigIntegerField(_("session floor"))
    last_password_change = models.DateTimeField(_("last password change"), null=True, blank=True)
    password_fingerprint = models.CharField(max_length=64, blank=True, editable=False)
    account_fingerprint = models.CharField(max_length=65, blank=True, editable=False)
    subject = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    """What ``sub`` says of the user where ``SUBJECT`` is ``"opaque"`` (s12)."""

    class Meta:
        db_table = "jwt_revoke_user_token_state"
        default_permissions = ()
        verbose_name = _("token state of a user")
        verbose_name_plural = _("token states of users")

    def __str__(self) -> str:
        return f"{self.pk}: {self.version}"


class DeviceSession(models.Model):
    """One sign-in on one device. A refresh updates it; it is never inserted twice."""

    id = models.UUIDField(_("ID"), primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,  # the index below begins with it
        related_name="jwt_revoke_sessions",
        verbose_name=_("user"),
    )
    name = models.CharField(_("name"), max_length=MAX_NAME, blank=True)
    user_agent = models.CharField(_("user agent"), max_length=MAX_USER_AGENT, blank=True)
    ip_address = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    created_at = models.DateTimeField(_("signed in"), db_index=True)
    authenticated_at = models.DateTimeField(_("last authenticated"))
    last_used_at = models.DateTimeField(_("last used"))
    idle_expires_at = models.DateTimeField(_("idle from"))
    expires_at = models.DateTimeField(_("expires"))
    opened_version = models.BigIntegerField(_("version when opened"))
    opened_generation = models.BigIntegerField(_("generation when opened"))
    refresh_counter = models.PositiveIntegerField(_("refreshes"), default=0)
    rotated_at = models.DateTimeField(_("last rotated"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    end_reason = models.CharField(_("reason of the end"), max_length=40, blank=True)
    held_at = models.DateTimeField(_("held"), null=True, blank=True)

    class Meta:
        db_table = "jwt_revoke_device_session"
        default_permissions = ("view",)
        permissions = [("end_devicesession", _("Can end device sessions"))]
        # Both columns: by an index on ended_at alone MariaDB would lock everybody's live sessions
        # to end those of one user.
        indexes = [models.Index(fields=["user", "ended_at"], name="jwt_revoke_live")]
        verbose_name = _("device session")
        verbose_name_plural = _("device sessions")

    def __str__(self) -> str:
        return str(self.name or self.pk)


class Revocation(models.Model):
    """One entry of the append-only log: denylist, audit log, feed of the replicas.

    ``subject`` is a ``jti``, a session's id, a user's primary key as text, or ``""`` for
    everyone. ``expires_at`` is the last moment a covered access token could live. ``sequence`` is
    NULL until the entry is numbered, and 0 where the first of its ``batch`` has the number for all.
    """

    uid = models.UUIDField(_("ID"), default=uuid.uuid4, editable=False)
    sequence = models.BigIntegerField(_("sequence"), null=True, blank=True, db_index=True)
    batch = models.UUIDField(_("batch"), null=True, blank=True)
    scope = models.CharField(_("scope"), max_length=10)
    subject = models.CharField(_("subject"), max_length=255, blank=True)
    effect = models.CharField(_("effect"), max_length=10)
    version = models.BigIntegerField(_("version"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=40)
    actor = models.CharField(_("actor"), max_length=255, blank=True)
    note = models.CharField(_("note"), max_length=255, blank=True)
    created_at = models.DateTimeField(_("time"), db_index=True)
    expires_at = models.DateTimeField(_("in force until"))

    class Meta:
        db_table = "jwt_revoke_revocation"
        default_permissions = ("view",)
        permissions = [("revoke_tokens", _("Can log users out everywhere"))]
        indexes = [
            models.Index(fields=["scope", "subject"], name="jwt_revoke_subject"),
            models.Index(fields=["batch", "id"], name="jwt_revoke_batch"),
            models.Index(fields=["expires_at", "id"], name="jwt_revoke_in_force"),
        ]
        verbose_name = _("revocation")
        verbose_name_plural = _("revocations")

    def __str__(self) -> str:
        return f"{self.scope} {self.subject}: {self.reason}"


class Generation(models.Model):
    """The same for everyone: one row, made by the first ``revoke_everyone``; none means 0, 0."""

    value = models.BigIntegerField(default=0)
    session_floor = models.BigIntegerField(default=0)

    class Meta:
        db_table = "jwt_revoke_generation"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.value)


class LogCounter(models.Model):
    """The last number given to a log entry. Locked only while numbering, never by a refresh."""

    value = models.BigIntegerField(default=0)

    class Meta:
        db_table = "jwt_revoke_log_counter"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.value)


class SigningKey(models.Model):
    """A key for access tokens that is kept in the database, or the mark that one is compromised.

    ``kid`` is the RFC 7638 thumbprint of a key pair. The terms are those of ``keys.TimedKey``.
    A compromised key of the settings', or of the refresh tokens' (by its id in hex), has a row
    too, which holds no key. Rows are never deleted: a mark must outlive every copy of the key.
    """

    kid = models.CharField(_("key id"), max_length=64, primary_key=True)
    algorithm = models.CharField(_("algorithm"), max_length=10)
    public = models.TextField(_("public key"), blank=True)
    private = models.TextField(blank=True, editable=False)
    """Encrypted (``encryption.py``), and erased once it is of no more use."""
    created_at = models.DateTimeField(_("created"))
    not_before = models.DateTimeField(_("signs from"), null=True, blank=True)
    signs_until = models.DateTimeField(_("signs until"), null=True, blank=True)
    verifies_until = models.DateTimeField(_("verifies until"), null=True, blank=True)
    compromised_at = models.DateTimeField(_("compromised"), null=True, blank=True)

    class Meta:
        db_table = "jwt_revoke_signing_key"
        default_permissions = ()
        verbose_name = _("signing key")
        verbose_name_plural = _("signing keys")

    def __str__(self) -> str:
        return self.kid


class ReplicaProcess(models.Model):
    """One process that follows the log, as it last reported itself. For operators: nothing is
    decided by it, and a row that is missing or wrong revives nobody.

    Its key is the process's random id. No index but that: each row is updated every few seconds,
    which PostgreSQL then does within the page, and there are as many rows as processes.
    """

    id = models.UUIDField(_("ID"), primary_key=True, editable=False)
    host = models.CharField(_("host"), max_length=255)
    pid = models.BigIntegerField(_("process number"))
    log = models.CharField(_("log followed"), max_length=10)
    started_at = models.DateTimeField(_("started"))
    seen_at = models.DateTimeField(_("last seen"))
    max_staleness = models.FloatField(_("may be behind (s)"))
    age = models.FloatField(_("age of the last read (s)"), null=True, blank=True)
    sequence = models.BigIntegerField(_("number read"), null=True, blank=True)
    behind = models.BigIntegerField(_("entries behind"), null=True, blank=True)
    entries = models.BigIntegerField(_("entries remembered"))
    fallbacks = models.BigIntegerField(_("fallbacks"))
    reads = models.BigIntegerField(_("reads"))

    class Meta:
        db_table = "jwt_revoke_replica_process"
        default_permissions = ("view",)
        verbose_name = _("replica process")
        verbose_name_plural = _("replica processes")

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"


def write_alias() -> str:
    """The alias that decides: where our tables are written, never a standby that lags."""
    # Asked of every request, and most sites have none to ask.
    return router.db_for_write(UserTokenState) if router.routers else DEFAULT_DB_ALIAS
