"""The tables: what they are called, what they ask of the user model, and what they show."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model

from jwt_revoke.models import (
    DeviceSession,
    Generation,
    LogCounter,
    ReplicaProcess,
    Revocation,
    UserTokenState,
    write_alias,
)
from jwt_revoke.testing import Device


def test_tables_are_named_after_the_package() -> None:
    tables = {model._meta.db_table for model in apps.get_app_config("jwt_revoke").get_models()}
    assert all(table.startswith("jwt_revoke_") for table in tables)


def test_no_row_of_ours_stands_in_the_way_of_deleting_a_user_by_raw_sql(phone: Device) -> None:
    rows = get_user_model().objects.filter(pk=phone.device_session.user_id)
    assert rows._raw_delete("default") == 1
    assert DeviceSession.objects.filter(pk=phone.session_id).exists()


def test_a_year_of_refreshes_leaves_one_row(phone: Device) -> None:
    for _ in range(12):
        phone.refresh_tokens()
    assert DeviceSession.objects.count() == 1
    assert Revocation.objects.count() == 0


def test_a_session_shows_its_name_or_its_id(phone: Device) -> None:
    assert str(phone.device_session) == "phone"
    assert str(DeviceSession(pk=phone.session_id)) == str(phone.session_id)


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (UserTokenState(user_id=7, version=12), "7: 12"),
        (Revocation(scope="user", subject="7", reason="logout"), "user 7: logout"),
        (Generation(value=3), "3"),
        (LogCounter(value=4), "4"),
        (ReplicaProcess(host="web1", pid=4711), "web1:4711"),
    ],
)
def test_rows_show_no_secret(row: Any, shown: str) -> None:
    """Invariant 9."""
    assert str(row) == shown


def test_the_alias_that_is_written_is_the_one_that_decides(settings: Any) -> None:
    """Invariant 7: a router that reads elsewhere is not asked to read."""
    settings.DATABASE_ROUTERS = ["tests.test_models.ReadsFromAStandby"]
    assert write_alias() == "default"


class ReadsFromAStandby:
    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "standby"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"
