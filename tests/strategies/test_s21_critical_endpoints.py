"""s21: the full check on critical endpoints only, or only for a token older than about a minute."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.urls import include, path
from rest_framework.decorators import action
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from jwt_revoke import api
from jwt_revoke.permissions import FreshRevocationCheck
from tests.strategies.over_http import Phone, step_clock
from tests.urls import urlpatterns as site
from tests.wire import assert_refused_header

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


class Ordinary(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"ok": True})

    post = get


class Critical(Ordinary):
    max_staleness = 0


class Lenient(Ordinary):
    max_staleness = timedelta(hours=2)


class CriticalWhenItWrites(Ordinary):
    @property
    def max_staleness(self):
        return 0 if self.request.method == "POST" else None


class Fresh(Ordinary):
    permission_classes = [FreshRevocationCheck]


class FreshIfOlderThanAMinute(FreshRevocationCheck):
    def has_permission(self, request, view):
        young = request.auth and time.time() - request.auth.iat < 60
        return bool(young) or super().has_permission(request, view)


class FreshIfOld(Ordinary):
    permission_classes = [FreshIfOlderThanAMinute]


class Documents(ViewSet):
    permission_classes = [IsAuthenticated]
    max_staleness = None

    def list(self, request):
        return Response({"ok": True})

    @action(detail=False, max_staleness=0)
    def shred(self, request):
        return Response({"ok": True})


router = SimpleRouter()
router.register("documents", Documents, basename="document")
urlpatterns = [
    *site,
    path("ordinary/", Ordinary.as_view()),
    path("critical/", Critical.as_view()),
    path("lenient/", Lenient.as_view()),
    path("writing/", CriticalWhenItWrites.as_view()),
    path("fresh/", Fresh.as_view()),
    path("fresh_if_old/", FreshIfOld.as_view()),
    path("", include(router.urls)),
]

STRICT = ["/critical/", "/fresh/", "/documents/shred/"]
LAX = ["/ordinary/", "/writing/", "/fresh_if_old/", "/documents/"]


@pytest.fixture(params=["stateless", "an hour behind", "strict by the log", "database"])
def kind(request, user, replica):
    if request.param == "stateless":
        request.getfixturevalue("stateless")
    elif request.param == "an hour behind":
        replica(max_staleness=3600)
    elif request.param == "strict by the log":
        replica()
    return request.param


behind = pytest.mark.parametrize("kind", ["stateless", "an hour behind"], indirect=True)


def test_critical_view_refuses_at_once_what_was_revoked(kind):
    phone = Phone()
    assert {phone.get(url).status_code for url in STRICT} == {200}
    api.end_session(phone.session_id)
    for url in STRICT:
        assert_refused_header(phone.get(url), "revoked")
    assert_refused_header(phone.post("/writing/"), "revoked")


@behind
def test_other_views_go_on_within_the_bound(kind):
    phone = Phone()
    api.end_session(phone.session_id)
    assert {phone.get(url).status_code for url in LAX} == {200}


def test_view_that_is_content_with_less_goes_on(user, replica):
    replica()
    phone = Phone()
    assert phone.get("/ordinary/").status_code == 200
    api.end_session(phone.session_id)
    assert phone.get("/lenient/").status_code == 200
    assert phone.get("/ordinary/").status_code == 401


def test_bound_of_any_length_is_a_look_at_the_database_where_nothing_is_followed(user, stateless):
    phone = Phone()
    api.end_session(phone.session_id)
    assert phone.get("/lenient/").status_code == 401


@behind
def test_token_older_than_a_minute_is_looked_at_again(kind, monkeypatch):
    phone = Phone()
    api.end_session(phone.session_id)
    assert phone.get("/fresh_if_old/").status_code == 200
    step_clock(monkeypatch, 61)
    assert_refused_header(phone.get("/fresh_if_old/"), "revoked")


def test_fresh_check_asks_the_database_where_a_copy_answers(
    user, replica, django_assert_num_queries
):
    """It sees what is in no log: a password changed by raw SQL."""
    replica()
    phone = Phone()
    with django_assert_num_queries(1):
        assert phone.get("/fresh/").status_code == 200
    get_user_model().objects.filter(pk=user.pk).update(password=make_password("another"))
    assert phone.get("/critical/").status_code == 200
    assert_refused_header(phone.get("/fresh/"), "stale")


def test_strict_view_of_a_copy_reads_the_log_and_no_row(user, replica, django_assert_num_queries):
    replica(max_staleness=3600)
    phone = Phone()
    with django_assert_num_queries(0):
        assert phone.get("/critical/").status_code == 200


def test_what_a_critical_view_has_read_the_others_know(user, replica):
    replica(max_staleness=3600)
    phone = Phone()
    api.end_session(phone.session_id)
    assert phone.get("/ordinary/").status_code == 200
    assert phone.get("/critical/").status_code == 401
    assert phone.get("/ordinary/").status_code == 401
