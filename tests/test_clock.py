from __future__ import annotations

import time

import pytest

from jwt_revoke.clock import clock, moment


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("aware", [True, False])
def test_a_time_stamp_is_as_the_site_keeps_them(settings, zone, aware):
    settings.TIME_ZONE, settings.USE_TZ = zone, aware
    found = moment(1_000_000_000)
    assert (found.tzinfo is not None) is aware
    assert found.timestamp() == 1_000_000_000


def test_the_clock_cannot_be_stepped(monkeypatch):
    before = clock()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert 0 <= clock() - before < 60
