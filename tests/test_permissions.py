from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.urls import path
from rest_framework.response import Response
from rest_framework.views import APIView

from jwt_revoke import api
from jwt_revoke.backends.base import BaseBackend
from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.exceptions import Unavailable
from jwt_revoke.permissions import FreshRevocationCheck, RecentlyAuthenticated
from tests.backends.contract import claims_of
from tests.strategies.over_http import step_clock, stop_clock
from tests.urls import urlpatterns as site
from tests.wire import assert_refused_header

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class Trusting(BaseBackend):
    """Learns of no revocation: as stale as a backend can be."""

    def check(self, claims, max_staleness=None):
        from django.contrib.auth import get_user_model

        return get_user_model()._default_manager.get(pk=claims.sub)


class Answer(APIView):
    def get(self, request):
        return Response({"ok": True})


class Fresh(Answer):
    permission_classes = [FreshRevocationCheck]


class Recent(Answer):
    permission_classes = [RecentlyAuthenticated]


class VeryRecent(Answer):
    permission_classes = [RecentlyAuthenticated.within(timedelta(seconds=30))]


urlpatterns = [
    *site,
    path("fresh/", Fresh.as_view()),
    path("recent/", Recent.as_view()),
    path("very_recent/", VeryRecent.as_view()),
]


@pytest.fixture
def trusting(settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": f"{__name__}.Trusting"}


def test_fresh_check_sees_what_the_backend_has_not_seen_yet(trusting, user, phone):
    """s21."""
    api.revoke_user(user)
    assert phone.get("/api/ping/").status_code == 200
    refused = phone.get("/fresh/")
    assert refused.status_code == 401
    assert refused.data["messages"][0]["reason"] == "revoked"
    assert refused["WWW-Authenticate"] == 'Bearer realm="api", error="invalid_token"'


def test_fresh_check_lets_a_live_token_in(trusting, phone):
    assert phone.get("/fresh/").status_code == 200


def test_fresh_check_costs_nothing_more_where_the_backend_is_strict(
    phone, django_assert_num_queries
):
    phone.get("/fresh/")
    with django_assert_num_queries(1):
        assert phone.get("/fresh/").status_code == 200


def test_fresh_check_that_cannot_know_is_503(trusting, phone, monkeypatch):
    """Invariant 4."""

    def away(self, claims, max_staleness=None):
        raise Unavailable

    monkeypatch.setattr(DatabaseBackend, "check", away)
    answer = phone.get("/fresh/")
    assert answer.status_code == 503
    assert answer["Retry-After"] == "1"


@pytest.mark.parametrize("url", ["/fresh/", "/recent/"])
def test_request_without_a_token_is_refused(anonymous, url):
    assert anonymous.get(url).status_code == 401


@pytest.mark.parametrize("url", ["/fresh/", "/recent/"])
def test_user_who_was_let_in_without_a_token_of_ours_is_refused(user, anonymous, url):
    """By a session, say: it has neither a standing nor a time that we know."""
    anonymous.force_authenticate(user)
    assert anonymous.get(url).status_code == 403


@pytest.mark.parametrize(
    ("url", "age", "status"),
    [
        ("/recent/", 299.9, 200),
        ("/very_recent/", 30, 200),
        ("/very_recent/", 30.1, 401),
    ],
)
def test_password_is_recent_for_as_long_as_the_view_says(phone, monkeypatch, url, age, status):
    stop_clock(monkeypatch, claims_of(phone).auth_time + age)
    assert phone.get(url).status_code == status


def test_default_is_five_minutes():
    assert RecentlyAuthenticated.max_age == timedelta(minutes=5)


def test_within_leaves_the_class_as_it_was():
    narrower = RecentlyAuthenticated.within(timedelta(seconds=1))
    assert issubclass(narrower, RecentlyAuthenticated)
    assert narrower.max_age == timedelta(seconds=1)
    assert RecentlyAuthenticated.max_age == timedelta(minutes=5)


def test_refusal_says_what_to_do(phone, monkeypatch):
    step_clock(monkeypatch, 31)
    refused = phone.get("/very_recent/")
    assert str(refused.data["detail"]) == "Confirm your password to go on."
    assert refused.data["code"] == "insufficient_user_authentication"


def test_refusal_challenges_as_rfc_9470_has_it(phone, monkeypatch):
    step_clock(monkeypatch, 31)
    challenge = phone.get("/very_recent/")["WWW-Authenticate"]
    assert challenge == ('Bearer realm="api", error="insufficient_user_authentication", max_age=30')


@pytest.fixture
def stateless(settings):
    """Gives the view a user whose row is not read."""
    path = "jwt_revoke.backends.stateless.StatelessBackend"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}


def test_fresh_check_of_a_backend_that_reads_no_row_is_one_query(
    stateless, phone, django_assert_num_queries
):
    with django_assert_num_queries(1):
        assert phone.get("/fresh/").status_code == 200


def test_fresh_check_sees_a_suspension_that_no_signal_saw(stateless, user, phone):
    type(user)._base_manager.filter(pk=user.pk).update(password=make_password("another"))
    assert phone.get("/api/ping/").status_code == 200
    assert_refused_header(phone.get("/fresh/"), "stale")


def test_fresh_check_of_a_user_who_was_deleted_is_no_error(stateless, user, phone):
    user.delete()
    assert_refused_header(phone.get("/fresh/"), "revoked")


def test_recent_password_is_in_the_token_and_costs_nothing(
    stateless, phone, django_assert_num_queries
):
    with django_assert_num_queries(0):
        assert phone.get("/recent/").status_code == 200


def test_refusal_by_age_is_whole(phone, monkeypatch):
    """RFC 9470 §3: the challenge for the client's code, the body for its user."""
    step_clock(monkeypatch, 31)
    refused = phone.get("/very_recent/")
    assert refused.status_code == 401
    assert refused.json() == {
        "detail": "Confirm your password to go on.",
        "code": "insufficient_user_authentication",
        "max_age": 30,
    }


def test_refusal_by_age_names_the_scheme_of_the_site(phone, monkeypatch, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "AUTH_HEADER_TYPES": ["JWT", "Bearer"]}
    step_clock(monkeypatch, 31)
    assert phone.get("/very_recent/")["WWW-Authenticate"].startswith('JWT realm="api", error=')


def test_refusal_by_age_does_not_hide_that_the_token_is_dead(user, phone, monkeypatch):
    """To be told to confirm the password, by a session that has ended, would lead nowhere."""
    step_clock(monkeypatch, 31)
    api.revoke_user(user)
    assert_refused_header(phone.get("/very_recent/"), "revoked")


def test_refresh_does_not_make_a_password_recent(phone, monkeypatch):
    step_clock(monkeypatch, 31)
    phone.refresh_tokens()
    assert phone.get("/very_recent/").status_code == 401
