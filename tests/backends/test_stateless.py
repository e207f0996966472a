"""The stateless backend: no check, and it says so."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jwt_revoke import api
from jwt_revoke.backends.base import get_backend
from jwt_revoke.backends.stateless import StatelessBackend
from tests.backends.contract import AnyBackendContract, claims_of

pytestmark = pytest.mark.django_db


class TestContract(AnyBackendContract):
    backend = StatelessBackend

    def test_its_own_options_pass_its_own_checks(self) -> None:
        """It warns of itself."""
        (warning,) = self.backend({}).system_checks()
        assert warning.id == "jwt_revoke.W301"


@pytest.fixture
def stateless(settings: Any) -> None:
    path = "jwt_revoke.backends.stateless.StatelessBackend"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}


def test_a_check_asks_nobody(stateless: None, phone: Any) -> None:
    claims = claims_of(phone)
    with CaptureQueriesContext(connection) as captured:
        get_backend().check(claims)
    assert len(captured) == 0


def test_a_revoked_token_opens_until_it_expires(stateless: None, phone: Any) -> None:
    """s15: what it does not do."""
    api.end_session(phone.session_id)
    assert phone.get("/api/ping/").status_code == 200


def test_the_warning_says_for_how_long(stateless: None) -> None:
    found = [message for message in run_checks() if message.id == "jwt_revoke.W301"]
    assert ["5 minutes" in message.msg for message in found] == [True]
