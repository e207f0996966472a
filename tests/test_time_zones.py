"""The same behaviour whatever USE_TZ and TIME_ZONE say: no naive time meets an aware one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.database import DatabaseNow
from jwt_revoke.exceptions import RefreshReused
from jwt_revoke.key_listing import listed
from jwt_revoke.key_sources import lead
from jwt_revoke.keystore import forget_keys, key_ring
from jwt_revoke.models import DeviceSession
from jwt_revoke.signing_keys import rotate
from jwt_revoke.testing import Device
from tests.conftest import make_user
from tests.stored import after

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(params=[("UTC", True), ("Asia/Tokyo", True), ("UTC", False), ("Asia/Tokyo", False)])
def zone(request: pytest.FixtureRequest, settings: Any) -> Any:
    settings.TIME_ZONE, settings.USE_TZ = request.param
    return request.param


def test_a_session_lives_and_its_refresh_moves_on(zone: Any) -> None:
    phone = Device(make_user())
    assert phone.get("/api/ping/").status_code == 200
    phone.refresh_tokens()
    assert phone.standing == "live"


def test_the_grace_is_counted_by_one_clock(zone: Any) -> None:
    phone = Device(make_user())
    before = phone.refresh_token
    phone.refresh_tokens()
    successor = phone.refresh_token
    assert api.refresh(before).refresh == successor
    DeviceSession.objects.update(rotated_at=DatabaseNow() - timedelta(seconds=31))
    with pytest.raises(RefreshReused):
        api.refresh(before)


def test_the_databases_clock_is_comparable_with_what_django_stores(zone: Any) -> None:
    Device(make_user())
    row = DeviceSession.objects.annotate(now=DatabaseNow()).get()
    assert abs(row.now - row.created_at) < timedelta(seconds=20)
    assert abs(row.now - timezone.now()) < timedelta(seconds=20)


def test_a_rotation_keeps_to_its_terms(zone: Any, stored_keys: Any) -> None:
    phone = Device(make_user())
    key = rotate("default").key
    forget_keys()
    assert [key_ring().signing.algorithm, key_ring().keys[1].kid] == ["HS256", key.kid]
    after(seconds=lead() + 1)
    assert key_ring().signing.kid == key.kid
    assert phone.standing == "live"
    assert {one.state for one in listed("default")} == {"signs", "verifies"}


def test_a_token_is_denied_until_it_expires(zone: Any) -> None:
    phone = Device(make_user())
    assert api.revoke_token(phone.access)
    assert phone.standing == "stale"
