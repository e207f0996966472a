"""Fifty devices sign in at once where a user may have three sessions (s24)."""

from __future__ import annotations

from typing import Any

import pytest

from jwt_revoke import api
from jwt_revoke.models import DeviceSession
from jwt_revoke.standing import live_sessions
from jwt_revoke.testing import Device
from tests.conftest import credentials, make_user
from tests.races.together import workers
from tests.races.verdicts import assert_answered, assert_no_orphans, handed_out, rounds

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]

SIGN_INS, LIMIT, PROCESSES = 50, 3, 4


@pytest.mark.parametrize("when_full", ["end_oldest", "refuse"])
def test_fifty_sign_ins_over_http_keep_the_limit(transactional_db: Any, when_full: str) -> None:
    """As many live as may, whose tokens are the only ones that open anything: each of the fifty
    would have found room. Every other round is of a user who has signed in before."""
    configured = {"MAX_SESSIONS_PER_USER": LIMIT, "ON_SESSION_LIMIT": when_full}
    with workers(PROCESSES, **configured) as post:
        for turn in rounds(1):
            user = make_user(f"user{turn}")
            if (turn % 2 == 0) is (when_full == "refuse"):
                api.end_session(Device(user).session_id)
            answers = post("/api/auth/token/", [credentials(f"user{turn}")] * SIGN_INS)
            assert len(answers) == SIGN_INS
            assert_answered(answers, 200, 403 if when_full == "refuse" else 200)
            live = {str(key) for key in _live(user)}
            in_time = [body for status, body in answers if status == 200]
            assert len(live) == min(LIMIT, len(in_time)) > 0
            opens = {body["session"] for body in in_time if not api.is_revoked(body["access"])}
            assert opens == live
            if when_full == "refuse":
                assert len(handed_out(answers)) == len(live)
            ended = DeviceSession.objects.filter(user_id=user.pk, end_reason="session_limit")
            assert ended.count() == len(in_time) - len(live)
            assert_no_orphans()


def _live(user: Any) -> list[Any]:
    sessions = live_sessions("default").filter(user_id=user.pk)
    return list(sessions.values_list("pk", flat=True))
