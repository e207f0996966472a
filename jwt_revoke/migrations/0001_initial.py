import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Generation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("value", models.BigIntegerField(default=0)),
                ("session_floor", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "jwt_revoke_generation",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="LogCounter",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("value", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "jwt_revoke_log_counter",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ReplicaProcess",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        editable=False, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("host", models.CharField(max_length=255, verbose_name="host")),
                ("pid", models.BigIntegerField(verbose_name="process number")),
                ("log", models.CharField(max_length=10, verbose_name="log followed")),
                ("started_at", models.DateTimeField(verbose_name="started")),
                ("seen_at", models.DateTimeField(verbose_name="last seen")),
                ("max_staleness", models.FloatField(verbose_name="may be behind (s)")),
                (
                    "age",
                    models.FloatField(
                        blank=True, null=True, verbose_name="age of the last read (s)"
                    ),
                ),
                (
                    "sequence",
                    models.BigIntegerField(blank=True, null=True, verbose_name="number read"),
                ),
                (
                    "behind",
                    models.BigIntegerField(blank=True, null=True, verbose_name="entries behind"),
                ),
                ("entries", models.BigIntegerField(verbose_name="entries remembered")),
                ("fallbacks", models.BigIntegerField(verbose_name="fallbacks")),
                ("reads", models.BigIntegerField(verbose_name="reads")),
            ],
            options={
                "verbose_name": "replica process",
                "verbose_name_plural": "replica processes",
                "db_table": "jwt_revoke_replica_process",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                (
                    "kid",
                    models.CharField(
                        max_length=64, primary_key=True, serialize=False, verbose_name="key id"
                    ),
                ),
                ("algorithm", models.CharField(max_length=10, verbose_name="algorithm")),
                ("public", models.TextField(blank=True, verbose_name="public key")),
                ("private", models.TextField(blank=True, editable=False)),
                ("created_at", models.DateTimeField(verbose_name="created")),
                (
                    "not_before",
                    models.DateTimeField(blank=True, null=True, verbose_name="signs from"),
                ),
                (
                    "signs_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="signs until"),
                ),
                (
                    "verifies_until",
                    models.DateTimeField(blank=True, null=True, verbose_name="verifies until"),
                ),
                (
                    "compromised_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="compromised"),
                ),
            ],
            options={
                "verbose_name": "signing key",
                "verbose_name_plural": "signing keys",
                "db_table": "jwt_revoke_signing_key",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="UserTokenState",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="jwt_revoke_state",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
                ("version", models.BigIntegerField(verbose_name="version")),
                ("session_floor", models.BigIntegerField(verbose_name="session floor")),
                (
                    "last_password_change",
                    models.DateTimeField(
                        blank=True, null=True, verbose_name="last password change"
                    ),
                ),
                (
                    "password_fingerprint",
                    models.CharField(blank=True, editable=False, max_length=64),
                ),
                (
                    "account_fingerprint",
                    models.CharField(blank=True, editable=False, max_length=65),
                ),
                (
                    "subject",
                    models.UUIDField(default=uuid.uuid4, editable=False, unique=True),
                ),
            ],
            options={
                "verbose_name": "token state of a user",
                "verbose_name_plural": "token states of users",
                "db_table": "jwt_revoke_user_token_state",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="Revocation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("uid", models.UUIDField(default=uuid.uuid4, editable=False, verbose_name="ID")),
                (
                    "sequence",
                    models.BigIntegerField(
                        blank=True, db_index=True, null=True, verbose_name="sequence"
                    ),
                ),
                ("batch", models.UUIDField(blank=True, null=True, verbose_name="batch")),
                ("scope", models.CharField(max_length=10, verbose_name="scope")),
                ("subject", models.CharField(blank=True, max_length=255, verbose_name="subject")),
                ("effect", models.CharField(max_length=10, verbose_name="effect")),
                ("version", models.BigIntegerField(blank=True, null=True, verbose_name="version")),
                ("reason", models.CharField(max_length=40, verbose_name="reason")),
                ("actor", models.CharField(blank=True, max_length=255, verbose_name="actor")),
                ("note", models.CharField(blank=True, max_length=255, verbose_name="note")),
                ("created_at", models.DateTimeField(db_index=True, verbose_name="time")),
                ("expires_at", models.DateTimeField(verbose_name="in force until")),
            ],
            options={
                "verbose_name": "revocation",
                "verbose_name_plural": "revocations",
                "db_table": "jwt_revoke_revocation",
                "permissions": [("revoke_tokens", "Can log users out everywhere")],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(fields=["scope", "subject"], name="jwt_revoke_subject"),
                    models.Index(fields=["batch", "id"], name="jwt_revoke_batch"),
                    models.Index(fields=["expires_at", "id"], name="jwt_revoke_in_force"),
                ],
            },
        ),
        migrations.CreateModel(
            name="DeviceSession",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("name", models.CharField(blank=True, max_length=100, verbose_name="name")),
                (
                    "user_agent",
                    models.CharField(blank=True, max_length=300, verbose_name="user agent"),
                ),
                (
                    "ip_address",
                    models.GenericIPAddressField(blank=True, null=True, verbose_name="IP address"),
                ),
                ("created_at", models.DateTimeField(db_index=True, verbose_name="signed in")),
                ("authenticated_at", models.DateTimeField(verbose_name="last authenticated")),
                ("last_used_at", models.DateTimeField(verbose_name="last used")),
                ("idle_expires_at", models.DateTimeField(verbose_name="idle from")),
                ("expires_at", models.DateTimeField(verbose_name="expires")),
                ("opened_version", models.BigIntegerField(verbose_name="version when opened")),
                (
                    "opened_generation",
                    models.BigIntegerField(verbose_name="generation when opened"),
                ),
                (
                    "refresh_counter",
                    models.PositiveIntegerField(default=0, verbose_name="refreshes"),
                ),
                (
                    "rotated_at",
                    models.DateTimeField(blank=True, null=True, verbose_name="last rotated"),
                ),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="ended")),
                (
                    "end_reason",
                    models.CharField(blank=True, max_length=40, verbose_name="reason of the end"),
                ),
                ("held_at", models.DateTimeField(blank=True, null=True, verbose_name="held")),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="jwt_revoke_sessions",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="user",
                    ),
                ),
            ],
            options={
                "verbose_name": "device session",
                "verbose_name_plural": "device sessions",
                "db_table": "jwt_revoke_device_session",
                "permissions": [("end_devicesession", "Can end device sessions")],
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["user", "ended_at"], name="jwt_revoke_live")],
            },
        ),
    ]
