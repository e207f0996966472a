"""``sessions/`` and ``sessions/<id>/``: the devices, to look at, to name and to end."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.rest import account_views
from jwt_revoke.testing import Device
from tests.conftest import make_user
from tests.wire import AUTH, assert_no_credentials, assert_refused_header

URL = AUTH + "sessions/"


def url_of(device):
    return f"{URL}{device.session_id}/"


def test_an_item_has_exactly_these_keys(phone):
    (item,) = phone.get(URL).json()
    assert list(item) == [
        *("id", "name", "user_agent", "ip_address"),
        *("created_at", "last_used_at", "expires_at", "current"),
    ]


def test_an_item_describes_the_device(phone):
    (item,) = phone.get(URL).json()
    assert item["id"] == str(phone.session_id)
    assert (item["name"], item["user_agent"]) == ("phone", "Phone/1")
    assert item["ip_address"] == "127.0.0.1"
    assert item["current"] is True


def test_only_the_calling_device_is_current(phone, laptop):
    current = {item["name"]: item["current"] for item in laptop.get(URL).json()}
    assert current == {"phone": False, "laptop": True}


def test_the_last_used_comes_first(phone, laptop):
    earlier = timezone.now() - timedelta(hours=1)
    DeviceSession.objects.filter(pk=laptop.session_id).update(last_used_at=earlier)
    assert [item["name"] for item in phone.get(URL).json()] == ["phone", "laptop"]


def test_sessions_of_others_are_not_listed(phone, sign_in):
    sign_in(make_user("bob"), "bob’s")
    assert [item["name"] for item in phone.get(URL).json()] == ["phone"]


def test_ended_and_expired_sessions_are_not_listed(phone, laptop, sign_in, user):
    tablet, watch = sign_in(user, "tablet"), sign_in(user, "watch")
    now = timezone.now()
    api.end_session(laptop.session_id)
    DeviceSession.objects.filter(pk=tablet.session_id).update(expires_at=now)
    DeviceSession.objects.filter(pk=watch.session_id).update(idle_expires_at=now)
    assert [item["name"] for item in phone.get(URL).json()] == ["phone"]


def test_the_list_is_not_paginated(phone, settings):
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
        "PAGE_SIZE": 1,
    }
    assert isinstance(phone.get(URL).json(), list)


def test_naming_a_device_answers_the_item(phone, laptop):
    response = phone.patch(url_of(laptop), {"name": "work laptop"})
    assert response.status_code == 200
    assert response.json().keys() == phone.get(URL).json()[0].keys()
    assert response.json()["name"] == "work laptop"
    assert laptop.device_session.name == "work laptop"


def test_naming_changes_nothing_else(phone):
    before = DeviceSession.objects.filter(pk=phone.session_id).values().get()
    attempt = {"id": str(uuid4()), "expires_at": "2100-01-01T00:00:00Z", "ip_address": "6.6.6.6"}
    phone.patch(url_of(phone), {"name": "x", "user": 0, "ended_at": None, **attempt})
    assert DeviceSession.objects.filter(pk=phone.session_id).values().get() == {
        **before,
        "name": "x",
    }


def test_a_name_that_is_missing_is_400(phone):
    response = phone.patch(url_of(phone), {})
    assert response.status_code == 400
    assert response.json() == {"name": ["This field is required."]}


def test_a_name_of_more_than_100_characters_is_400(phone):
    response = phone.patch(url_of(phone), {"name": "x" * 101})
    assert response.status_code == 400
    assert response.json().keys() == {"name"}


def test_ending_a_device_is_204(phone, laptop):
    response = phone.delete(url_of(laptop))
    assert (response.status_code, response.content) == (204, b"")
    assert (laptop.standing, phone.standing) == ("revoked", "live")


def test_ending_the_current_device_logs_it_out(phone):
    assert phone.delete(url_of(phone)).status_code == 204
    assert phone.standing == "revoked"


def test_ending_a_device_is_recorded_with_its_actor(phone, laptop, user):
    phone.delete(url_of(laptop))
    entry = Revocation.objects.get()
    assert (entry.reason, entry.actor, entry.subject) == (
        *("logout", str(user.pk)),
        str(laptop.session_id),
    )


def test_ending_a_device_a_second_time_is_404(phone, laptop):
    phone.delete(url_of(laptop))
    assert phone.delete(url_of(laptop)).status_code == 404


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_session_of_another_user_is_404(phone, sign_in, method):
    other = sign_in(make_user("bob"), "bob’s")
    response = getattr(phone, method)(url_of(other), {"name": "mine"})
    assert response.status_code == 404
    assert (other.standing, other.device_session.name) == ("live", "bob’s")


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_session_of_another_user_looks_like_one_that_never_was(phone, sign_in, method):
    other = sign_in(make_user("bob"))
    theirs = getattr(phone, method)(url_of(other), {"name": "mine"})
    nobodys = getattr(phone, method)(f"{URL}{uuid4()}/", {"name": "mine"})
    assert theirs.content == nobodys.content


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", ""), ("patch", "d7b54c0f-b534-42c7-b5cc-f59fb7ef10d7/"), ("delete", "junk/")],
)
def test_no_credentials_are_401(db, anonymous, method, path):
    assert_no_credentials(getattr(anonymous, method)(URL + path))


def test_a_revoked_token_is_401(phone):
    api.end_session(phone.session_id)
    assert_refused_header(phone.get(URL), "revoked")


def test_a_job_that_signs_in_anew_each_time_does_not_make_the_list_endless(
    phone, user, monkeypatch
):
    monkeypatch.setattr(account_views, "MAX_LISTED", 3)
    for _ in range(5):
        Device(user)
    assert len(phone.get(AUTH + "sessions/").json()) == 3


def test_a_session_that_goes_while_it_is_named_is_404(phone, monkeypatch):
    monkeypatch.setattr(account_views.sessions, "rename_session", lambda *_args: False)
    answer = phone.patch(AUTH + f"sessions/{phone.session_id}/", {"name": "x"})
    assert answer.status_code == 404
