"""``POST password/change/``: all sessions end, this device goes on with new tokens."""

from __future__ import annotations

import pytest

from jwt_revoke import api
from jwt_revoke.models import Revocation
from tests.conftest import PASSWORD, credentials
from tests.wire import AUTH, WRONG_PASSWORD, assert_no_credentials, assert_refused_header

URL = AUTH + "password/change/"
NEW = "a quite different passphrase"
BODY = {"old_password": PASSWORD, "new_password": NEW}


def test_the_answer_holds_new_tokens(phone):
    response = phone.post(URL, BODY)
    assert response.status_code == 200
    assert response.json().keys() == {"access", "refresh", "expires_in", "session"}


def test_the_new_tokens_live(phone, anonymous):
    body = phone.post(URL, BODY).json()
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {body['access']}"}
    assert anonymous.get("/api/ping/", **bearer).status_code == 200
    refreshed = phone.post(AUTH + "token/refresh/", {"refresh": body["refresh"]})
    assert refreshed.status_code == 200


def test_everything_issued_before_is_dead(phone, laptop):
    phone.post(URL, BODY)
    assert (phone.standing, laptop.standing) == ("revoked", "revoked")


def test_the_device_keeps_its_name_in_a_new_session(phone, anonymous):
    body = phone.post(URL, BODY).json()
    bearer = {"HTTP_AUTHORIZATION": f"Bearer {body['access']}"}
    (item,) = anonymous.get(AUTH + "sessions/", **bearer).json()
    assert (item["id"], item["name"]) == (body["session"], "phone")
    assert body["session"] != str(phone.session_id)


def test_only_the_new_password_signs_in(phone, anonymous):
    phone.post(URL, BODY)
    assert anonymous.post(AUTH + "token/", credentials()).status_code == 401
    assert anonymous.post(AUTH + "token/", credentials(password=NEW)).status_code == 200


def test_the_change_is_recorded_once(phone):
    phone.post(URL, BODY)
    assert [entry.reason for entry in Revocation.objects.all()] == ["password_changed"]


def test_a_wrong_old_password_is_400_and_not_401(phone):
    """A 401 would send clients into a refresh loop."""
    response = phone.post(URL, {**BODY, "old_password": "wrong"})
    assert response.status_code == 400
    assert response.json() == {"old_password": [WRONG_PASSWORD]}


def test_a_wrong_old_password_changes_nothing(phone, laptop, user):
    phone.post(URL, {**BODY, "old_password": "wrong"})
    user.refresh_from_db()
    assert user.check_password(PASSWORD)
    assert (phone.standing, laptop.standing) == ("live", "live")


def test_the_sites_password_validators_judge_the_new_one(phone, settings):
    settings.AUTH_PASSWORD_VALIDATORS = [
        {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"}
    ]
    response = phone.post(URL, {**BODY, "new_password": "short"})
    assert response.status_code == 400
    assert response.json().keys() == {"new_password"}
    assert phone.standing == "live"


@pytest.mark.parametrize("missing", ["old_password", "new_password"])
def test_a_missing_field_is_400(phone, missing):
    body = {name: value for name, value in BODY.items() if name != missing}
    response = phone.post(URL, body)
    assert response.status_code == 400
    assert response.json() == {missing: ["This field is required."]}


def test_spaces_around_the_new_password_are_kept(phone, anonymous):
    phone.post(URL, {**BODY, "new_password": f"  {NEW} "})
    url = AUTH + "token/"
    assert anonymous.post(url, credentials(password=f"  {NEW} ")).status_code == 200


def test_no_credentials_are_401(db, anonymous):
    assert_no_credentials(anonymous.post(URL, BODY))


def test_a_revoked_token_cannot_change_the_password(phone, user):
    api.end_session(phone.session_id)
    assert_refused_header(phone.post(URL, BODY), "revoked")
    user.refresh_from_db()
    assert user.check_password(PASSWORD)


@pytest.mark.parametrize("length", [64, 4096])
def test_a_long_password_counts_to_its_last_character(phone, anonymous, length):
    """ASVS 5.0 V6.2.8, V6.2.9; SP 800-63B-4 §3.1.1.2: 64 characters are taken, and none cut off."""
    long = ("ünïcödé pass phrase " * length)[: length - 1] + "!"
    assert phone.post(URL, {**BODY, "new_password": long}).status_code == 200
    assert anonymous.post(AUTH + "token/", credentials(password=long[:-1])).status_code == 401
    assert anonymous.post(AUTH + "token/", credentials(password=long)).status_code == 200


def test_a_password_of_one_kind_of_character_is_taken(phone):
    """ASVS 5.0 V6.2.5: no rule of ours asks for capitals, digits or signs."""
    assert phone.post(URL, {**BODY, "new_password": "onlysmalllettersinhere"}).status_code == 200
