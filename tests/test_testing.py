"""The helpers that a site's own tests use, used as a site would."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.test import TestCase, TransactionTestCase

from jwt_revoke import api, signals
from jwt_revoke.exceptions import TokenRevoked
from jwt_revoke.testing import Device, RevocationTestMixin, collect_revocations
from tests.conftest import make_user
from tests.strategies.over_http import step_clock


class InATestCase(RevocationTestMixin, TestCase):
    """Nothing commits here."""

    def setUp(self):
        self.user = make_user()

    def test_device_is_signed_in(self):
        phone = Device(self.user)
        self.assertLive(phone)
        assert phone.get("/api/ping/").status_code == 200

    def test_demotion_is_seen_and_told(self):
        phone = Device(self.user)
        with self.revocations() as revoked:
            self.user.groups.add(Group.objects.create(name="editors"))
        self.assertStale(phone)
        assert [entry["reason"] for entry in revoked] == ["role_changed"]

    def test_log_out_is_seen_and_told(self):
        phone = Device(self.user)
        with self.revocations() as revoked:
            phone.post("/api/auth/logout/")
        self.assertRevoked(phone)
        assert [entry["reason"] for entry in revoked] == ["logout"]

    def test_wrong_claim_about_a_device_fails(self):
        phone = Device(self.user)
        with pytest.raises(AssertionError, match="is live, not revoked"):
            self.assertRevoked(phone)
        with pytest.raises(AssertionError, match="is live, not stale"):
            self.assertStale(phone)
        api.revoke_user(self.user)
        with pytest.raises(AssertionError, match="is revoked, not live"):
            self.assertLive(phone)

    def test_refused_sign_in_leaves_the_tests_transaction_usable(self):
        with self.settings(JWT_REVOKE={"MAX_SESSIONS_PER_USER": 1, "ON_SESSION_LIMIT": "refuse"}):
            phone = Device(self.user)
            body = {"username": "alice", "password": "correct horse battery staple"}
            assert phone.post("/api/auth/token/", body).status_code == 403
            self.assertLive(phone)


class InATransactionTestCase(RevocationTestMixin, TransactionTestCase):
    """Here everything commits, and is told once."""

    def test_log_out_is_told_once(self):
        phone = Device(make_user())
        with self.revocations() as revoked:
            phone.post("/api/auth/logout/")
        self.assertRevoked(phone)
        assert len(revoked) == 1


def test_fixture_signs_a_device_in(sign_in, user):
    phone = sign_in(user, "phone")
    assert phone.get("/api/ping/").status_code == 200
    assert phone.device_session.name == "phone"


def test_fixture_lists_what_is_revoked(revocations, user):
    with revocations() as revoked:
        api.revoke_user(user, reason="lost")
    assert [entry["reason"] for entry in revoked] == ["lost"]


def test_nothing_is_listed_once_the_block_is_left(revocations, user):
    with revocations() as revoked:
        pass
    with revocations():
        api.revoke_user(user)
    assert revoked == []


@pytest.mark.django_db
def test_listening_ends_after_an_error():
    before = list(signals.revoked.receivers)
    with pytest.raises(ZeroDivisionError), collect_revocations():
        _ = 1 / 0
    assert signals.revoked.receivers == before


def test_device_refreshes_as_its_client_would(phone):
    old = phone.access, phone.refresh_token
    phone.refresh_tokens()
    assert (phone.access, phone.refresh_token) != old
    assert phone.get("/api/ping/").status_code == 200
    assert phone.device_session.refresh_counter == 1


def test_device_that_may_not_refresh_says_so(phone, user):
    api.revoke_user(user)
    with pytest.raises(TokenRevoked):
        phone.refresh_tokens()


def test_standing_of_an_expired_token(phone, monkeypatch):
    step_clock(monkeypatch, 301)
    assert phone.standing == "expired"


def test_device_has_the_user_agent_it_was_given(phone):
    assert phone.device_session.user_agent == "Phone/1"


@pytest.mark.django_db
def test_a_device_speaks_the_sites_own_scheme(user, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "AUTH_HEADER_TYPES": ["JWT"]}
    assert Device(user).get("/api/ping/").status_code == 200
