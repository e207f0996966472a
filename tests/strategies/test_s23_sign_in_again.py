"""s23: sign in again after some time whatever happens; the last log-in time in the token."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import path
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.views import APIView

from jwt_revoke.models import DeviceSession
from jwt_revoke.permissions import RecentlyAuthenticated
from tests.conftest import PASSWORD
from tests.strategies.over_http import AUTH, Phone, step_clock
from tests.urls import urlpatterns as site

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class PayView(APIView):
    permission_classes = [RecentlyAuthenticated.within(timedelta(minutes=4))]

    def post(self, request):
        return Response({"paid": True})


urlpatterns = [*site, path("api/pay/", PayView.as_view())]


def test_session_is_over_after_its_lifetime_however_much_it_was_used(user):
    phone = Phone()
    assert phone.may_renew()
    DeviceSession.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert phone.standing() == "revoked"
    assert not phone.may_renew()


def test_use_does_not_extend_the_lifetime(user, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SESSION_LIFETIME": timedelta(days=2)}
    phone = Phone()
    end = DeviceSession.objects.get().expires_at
    assert end - DeviceSession.objects.get().created_at == timedelta(days=2)
    assert phone.may_renew()
    assert DeviceSession.objects.get().expires_at == end


def test_access_token_does_not_outlive_its_session(user):
    phone = Phone()
    DeviceSession.objects.update(expires_at=timezone.now() + timedelta(seconds=60))
    assert phone.renew().data["expires_in"] <= 60


def test_token_says_when_its_user_last_gave_the_password(user):
    phone = Phone()
    signed_in = int(DeviceSession.objects.get().authenticated_at.timestamp())
    assert phone.claims["auth_time"] == signed_in


def test_refresh_does_not_move_that_moment(user):
    phone = Phone()
    DeviceSession.objects.update(authenticated_at=timezone.now() - timedelta(minutes=30))
    assert phone.may_renew()
    assert phone.claims["iat"] - phone.claims["auth_time"] >= 1799


def test_critical_view_asks_for_a_recent_password(user, monkeypatch):
    phone = Phone()
    assert phone.post("/api/pay/").status_code == 200
    step_clock(monkeypatch, 241)
    refused = phone.post("/api/pay/")
    assert refused.status_code == 401
    assert refused.data["code"] == "insufficient_user_authentication"


def test_password_given_again_opens_it(user):
    phone = Phone()
    DeviceSession.objects.update(authenticated_at=timezone.now() - timedelta(minutes=30))
    assert phone.may_renew()
    assert phone.post("/api/pay/").status_code == 401
    answer = phone.post(AUTH + "reauthenticate/", {"password": PASSWORD})
    assert answer.status_code == 200
    phone.credentials(HTTP_AUTHORIZATION=f"Bearer {answer.data['access']}")
    assert phone.post("/api/pay/").status_code == 200


def test_wrong_password_given_again_opens_nothing(user):
    phone = Phone()
    answer = phone.post(AUTH + "reauthenticate/", {"password": "guess"})
    assert answer.status_code == 400
    assert "access" not in answer.data
