"""``POST logout/``: this device is out, whatever its tokens are worth by now."""

from __future__ import annotations

import time

import pytest
from django.contrib.auth import get_user_model

from jwt_revoke import api
from jwt_revoke.models import DeviceSession, Revocation
from tests.wire import AUTH, assert_no_credentials, assert_refused_token

URL = AUTH + "logout/"


def bearer(token):
    return {"HTTP_AUTHORIZATION": f"Bearer {token}"}


def assert_logged_out(response, device):
    assert (response.status_code, response.content) == (204, b"")
    assert device.device_session.ended_at is not None


def test_the_access_token_alone_will_do(phone, anonymous):
    assert_logged_out(anonymous.post(URL, **bearer(phone.access)), phone)


def test_the_refresh_token_alone_will_do(phone, anonymous):
    assert_logged_out(anonymous.post(URL, {"refresh": phone.refresh_token}), phone)


def test_the_access_token_dies_with_the_session(phone):
    phone.post(URL)
    assert phone.standing == "revoked"


def test_other_sessions_live_on(phone, laptop):
    phone.post(URL)
    assert laptop.standing == "live"


@pytest.mark.parametrize("times", [2, 3])
def test_a_repeated_log_out_is_204_again(phone, times):
    assert [phone.post(URL).status_code for _ in range(times)] == [204] * times


def test_a_repeated_log_out_is_recorded_once(phone):
    phone.post(URL)
    phone.post(URL)
    assert Revocation.objects.count() == 1


def test_an_expired_access_token_alone_will_do(phone, monkeypatch):
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    assert_logged_out(phone.post(URL), phone)


def test_a_stale_access_token_alone_will_do(phone, user):
    api.revoke_user(user, effect="access")
    assert_logged_out(phone.post(URL), phone)


def test_a_superseded_refresh_token_ends_the_session(phone, anonymous):
    old = phone.refresh_token
    phone.refresh_tokens()
    phone.refresh_tokens()
    assert_logged_out(anonymous.post(URL, {"refresh": old}), phone)


def test_a_good_refresh_token_beside_a_broken_header_will_do(phone, anonymous):
    response = anonymous.post(URL, {"refresh": phone.refresh_token}, **bearer("a.b.c"))
    assert_logged_out(response, phone)


@pytest.mark.parametrize("header", ["Bearer", "Bearer one two", "Bearer one, Bearer two"])
def test_a_good_refresh_token_beside_a_header_without_one_token_will_do(phone, anonymous, header):
    response = anonymous.post(URL, {"refresh": phone.refresh_token}, HTTP_AUTHORIZATION=header)
    assert_logged_out(response, phone)


def test_a_good_header_beside_a_broken_refresh_token_will_do(phone):
    assert_logged_out(phone.post(URL, {"refresh": "nonsense"}), phone)


def test_an_empty_refresh_token_counts_as_none(phone):
    assert_logged_out(phone.post(URL, {"refresh": ""}), phone)


def test_tokens_of_two_sessions_end_both(phone, laptop):
    assert_logged_out(phone.post(URL, {"refresh": laptop.refresh_token}), phone)
    assert laptop.standing == "revoked"


def test_a_user_who_is_gone_is_still_logged_out(phone, user):
    get_user_model().objects.filter(pk=user.pk).delete()
    assert phone.post(URL).status_code == 204


def test_a_session_that_is_gone_is_logged_out(phone):
    DeviceSession.objects.all().delete()
    assert phone.post(URL).status_code == 204


def test_nothing_at_all_is_401_without_an_error_code(db, anonymous):
    assert_no_credentials(anonymous.post(URL))


def test_another_scheme_is_nothing_at_all(db, anonymous):
    assert_no_credentials(anonymous.post(URL, HTTP_AUTHORIZATION="Basic YTpi"))


def test_a_broken_header_alone_is_401(db, anonymous):
    assert_refused_token(anonymous.post(URL, **bearer("a.b.c")), "invalid")


def test_a_broken_refresh_token_alone_is_401(db, anonymous):
    assert_refused_token(anonymous.post(URL, {"refresh": "nonsense"}), "invalid")


def test_two_broken_tokens_are_401(db, anonymous):
    response = anonymous.post(URL, {"refresh": "nonsense"}, **bearer("a.b.c"))
    assert_refused_token(response, "invalid")


def test_the_reason_is_logout(phone):
    phone.post(URL)
    assert Revocation.objects.get().reason == "logout"


def test_the_log_names_whose_token_it_was(phone, user):
    assert phone.post(AUTH + "logout/").status_code == 204
    assert Revocation.objects.get().actor == str(user.pk)
