"""``ATOMIC_REQUESTS``: what a refusal revoked stays revoked (invariant 2)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from jwt_revoke.models import DeviceSession, Revocation
from tests.conftest import PASSWORD, credentials
from tests.wire import AUTH

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture(autouse=True)
def atomic_requests(transactional_db, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)


def test_the_site_has_its_requests_in_transactions(rf, phone):
    """What the tests below rely upon."""
    from django.core.handlers.base import BaseHandler

    from tests.views import PingView

    seen = []

    class Looking(PingView):
        authentication_classes = ()
        permission_classes = ()

        def get(self, request):
            seen.append(connection.in_atomic_block)
            return super().get(request)

    BaseHandler().make_view_atomic(Looking.as_view())(rf.get("/"))
    assert seen == [True]


def test_a_reuse_that_answers_401_stays_revoked(phone):
    url, body = AUTH + "token/refresh/", {"refresh": phone.refresh_token}
    assert phone.post(url, body).status_code == 200
    DeviceSession.objects.update(rotated_at=F("rotated_at") - timedelta(seconds=31))
    assert phone.post(url, body).status_code == 401
    assert phone.standing == "revoked"
    assert Revocation.objects.get().reason == "refresh_reused"


def test_a_password_change_found_by_a_refused_refresh_stays_recorded(phone, user):
    type(user).objects.filter(pk=user.pk).update(password="md5$changed$by-raw-sql")
    url = AUTH + "token/refresh/"
    assert phone.post(url, {"refresh": phone.refresh_token}).status_code == 401
    assert Revocation.objects.get().reason == "password_changed"
    assert phone.standing == "revoked"


def test_a_log_out_commits(phone):
    assert phone.post(AUTH + "logout/").status_code == 204
    assert phone.standing == "revoked"


def test_a_sign_in_commits(user, anonymous):
    access = anonymous.post(AUTH + "token/", credentials()).json()["access"]
    response = anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {access}")
    assert response.status_code == 200


def test_a_password_change_that_fails_changes_nothing(phone, user, monkeypatch):
    """Password, revocation and new session are one transaction of our own."""
    from jwt_revoke import sessions
    from jwt_revoke.exceptions import Unavailable

    def fail(*_args):
        raise Unavailable

    monkeypatch.setattr(sessions, "_sign_in", fail)
    body = {"old_password": PASSWORD, "new_password": "a quite different passphrase"}
    assert phone.post(AUTH + "password/change/", body).status_code == 503
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert phone.standing == "live"
    assert not Revocation.objects.exists()
