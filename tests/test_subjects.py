"""Primary keys in SQL: spelt by every database as by Python, and read back."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import models

from jwt_revoke import log
from jwt_revoke.log import Cause
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.subjects import RandomUUID, key_of_subject, subject_of
from jwt_revoke.testing import Device
from tests.accounts.models import UUIDMember

pytestmark = pytest.mark.database


@pytest.mark.parametrize("native", [True, False])
def test_random_uuids_of_mariadb_are_of_the_length_of_its_column(native: bool) -> None:
    """Since 10.7 a type of its own, before that and on MySQL 32 characters."""
    features = type("Features", (), {"has_native_uuid_field": native})
    site = type("Connection", (), {"features": features})
    sql, params = RandomUUID().as_mysql(None, site)
    assert sql.count("'-'") == (4 if native else 0)
    assert params == []


def test_a_session_s_id_is_spelt_in_sql_as_in_python(phone: Device) -> None:
    """Entries made one by one and set-based name the same subject."""
    key = DeviceSession._meta.pk
    rows = DeviceSession.objects.annotate(spelt=subject_of("default", key))
    assert rows.get().spelt == str(phone.session_id)


def test_a_session_s_id_is_read_back_from_its_spelling(phone: Device) -> None:
    log.append(
        "default", Cause("test"), scope="session", subject=str(phone.session_id), effect="session"
    )
    key = key_of_subject("default", DeviceSession._meta.pk)
    entries = Revocation.objects.annotate(key=key).values("key")
    assert DeviceSession.objects.filter(pk__in=entries).exists()


@pytest.mark.parametrize(
    ("field", "subject"),
    [
        (models.CharField(max_length=20, primary_key=True), "alice"),
        (models.BigAutoField(primary_key=True), "7"),
        (models.DecimalField(max_digits=9, decimal_places=0, primary_key=True), "7"),
    ],
)
def test_keys_of_other_types_are_read_back_too(db: None, field: Any, subject: str) -> None:
    log.append("default", Cause("test"), scope="user", subject=subject, effect="session")
    found = Revocation.objects.annotate(key=key_of_subject("default", field)).get()
    assert str(found.key) == subject


def test_a_user_s_uuid_is_spelt_in_sql_as_in_python(db: None) -> None:
    member = UUIDMember.objects.create(username="u")
    key = UUIDMember._meta.pk
    rows = UUIDMember.objects.annotate(spelt=subject_of("default", key))
    assert rows.get().spelt == str(member.pk)
