"""What holds for all endpoints alike."""

from __future__ import annotations

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from jwt_revoke.rest.base import OpenView
from jwt_revoke.urls import urlpatterns
from tests.conftest import PASSWORD, credentials
from tests.wire import AUTH

pytestmark = pytest.mark.once

ANYBODY = {
    "token": "post",
    "token_refresh": "post",
    "token_verify": "post",
    "token_blacklist": "post",
    "logout": "post",
    "logout_all": "post",
    "jwks": "get",
}
SIGNED_IN = {
    "sessions": "get",
    "session": "delete",
    "password_change": "post",
    "reauthenticate": "post",
}
ENDPOINTS = ANYBODY | SIGNED_IN
WITH_BODY = [name for name, method in ENDPOINTS.items() if method == "post"]


def url_of(name, device=None):
    session = str(device.session_id) if device else "d7b54c0f-b534-42c7-b5cc-f59fb7ef10d7"
    return reverse(f"jwt_revoke:{name}", args=[session] if name == "session" else [])


def good_body(name, device):
    return {
        "token": credentials(),
        "token_refresh": {"refresh": device.refresh_token},
        "token_verify": {"token": device.access},
        "token_blacklist": {"refresh": device.refresh_token},
        "logout": {"refresh": device.refresh_token},
        "password_change": {"old_password": PASSWORD, "new_password": "another passphrase"},
        "reauthenticate": {"password": PASSWORD},
    }.get(name, {})


def test_this_page_knows_every_endpoint():
    """But the canary's, which is 404 to all of these people: ``test_canary.py``."""
    assert {pattern.name for pattern in urlpatterns} == ENDPOINTS.keys() | {"canary"}


def assert_no_store(response, status):
    assert response.status_code == status, response.content
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_success_is_never_stored(phone, name):
    body = None if ENDPOINTS[name] == "get" else good_body(name, phone)
    response = getattr(phone, ENDPOINTS[name])(url_of(name, phone), body)
    assert response.status_code in {200, 204}
    # Public keys are to be kept for a while; how long is told by the rotation (test_key_sources).
    assert response["Cache-Control"] == ("public, max-age=300" if name == "jwks" else "no-store")


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_400_is_never_stored(phone, name):
    response = phone.generic("POST", url_of(name), b"{", content_type="application/json")
    assert_no_store(response, 400)


@pytest.mark.parametrize("name", [*SIGNED_IN, "logout", "logout_all"])
def test_a_401_is_never_stored(db, anonymous, name):
    assert_no_store(getattr(anonymous, ENDPOINTS[name])(url_of(name)), 401)


@pytest.mark.parametrize("name", ["token_refresh", "token_verify", "token_blacklist"])
def test_a_401_about_a_token_in_the_body_is_never_stored(db, anonymous, name):
    body = {"refresh": "nonsense", "token": "nonsense"}
    assert_no_store(anonymous.post(url_of(name), body), 401)


def test_a_404_is_never_stored(phone):
    assert_no_store(phone.delete(url_of("session")), 404)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_405_is_never_stored(phone, name):
    assert_no_store(phone.put(url_of(name, phone), {}), 405)


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_413_is_never_stored(phone, name):
    response = phone.post(url_of(name), {"x": "x" * 70_000})
    assert_no_store(response, 413)
    assert response.json() == {"detail": "Request body too large"}


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_415_is_never_stored(phone, name):
    response = phone.generic("POST", url_of(name), b"x", content_type="text/plain")
    assert_no_store(response, 415)
    assert response.json() == {"detail": 'Unsupported media type "text/plain" in request.'}


@pytest.mark.parametrize("name", ENDPOINTS)
def test_options_are_never_stored(phone, name):
    assert_no_store(phone.options(url_of(name, phone)), 200)


def refused_and_good(name, anonymous, phone):
    for device, body in ((anonymous, {}), (phone, good_body(name, phone))):
        call = getattr(device, ENDPOINTS[name])
        yield call(url_of(name, phone), None if ENDPOINTS[name] == "get" else body)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_no_answer_sets_a_cookie(phone, anonymous, name):
    """Nothing here is authenticated by one, so there is none to steal, fix or ride on."""
    for response in refused_and_good(name, anonymous, phone):
        assert not response.cookies


@pytest.mark.parametrize("name", ENDPOINTS)
def test_every_answer_says_that_it_is_json(phone, anonymous, name):
    """ASVS 5.0 V4.1.1: or a browser guesses. JSON is UTF-8 and has no charset (RFC 8259 §11)."""
    for response in refused_and_good(name, anonymous, phone):
        if response.content:
            assert response["Content-Type"] == "application/json"
            response.content.decode("utf-8")


@pytest.mark.parametrize("name", sorted(SIGNED_IN.keys() | {"logout_all"}))
def test_a_revoked_token_is_401_with_an_error_code(phone, name):
    phone.post(AUTH + "logout/")
    phone.post(AUTH + "token/", credentials())  # so that not every session has ended
    response = getattr(phone, ENDPOINTS[name])(url_of(name, phone))
    assert response.status_code == 401
    assert 'error="invalid_token"' in response["WWW-Authenticate"]


@pytest.mark.parametrize("name", sorted(ENDPOINTS.keys() - {"jwks"}))
@pytest.mark.parametrize("method", ["get", "post", "delete", "options"])
def test_the_browsable_api_renders(phone, name, method):
    response = getattr(phone, method)(url_of(name, phone), HTTP_ACCEPT="text/html")
    assert response.status_code < 500
    if response.status_code != 204:
        assert response["Content-Type"].startswith("text/html")
        assert b"<html" in response.content


@pytest.mark.parametrize("name", sorted(ENDPOINTS.keys() - {"jwks"}))
def test_the_browsable_api_renders_for_somebody_unknown(db, anonymous, name):
    response = anonymous.get(url_of(name), HTTP_ACCEPT="text/html")
    assert response.status_code in {401, 405}
    assert b"<html" in response.content


@pytest.mark.parametrize("name", WITH_BODY)
def test_the_browsable_api_shows_a_form(phone, name):
    response = phone.get(url_of(name), HTTP_ACCEPT="text/html")
    assert b"<form" in response.content


def test_the_browsable_api_never_shows_a_password_again(phone):
    body = {"old_password": PASSWORD, "new_password": ""}
    response = phone.post(url_of("password_change"), body, HTTP_ACCEPT="text/html")
    assert response.status_code == 400
    assert PASSWORD not in response.content.decode()


@pytest.mark.parametrize("name", ENDPOINTS)
def test_no_csrf_token_is_asked_for(phone, name):
    """No cookie authenticates here, so there is nothing to forge."""
    client = APIClient(enforce_csrf_checks=True, HTTP_USER_AGENT="Phone/1")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {phone.access}")
    body = None if ENDPOINTS[name] == "get" else good_body(name, phone)
    response = getattr(client, ENDPOINTS[name])(url_of(name, phone), body)
    assert response.status_code in {200, 204}


@pytest.mark.parametrize("name", ["versioning_class", "pagination_class", "filter_backends"])
def test_a_sites_defaults_for_its_own_api_are_not_ours(name):
    """REST framework binds them when the class is made: ours has to say so itself. A version in
    a namespace, say, would make every endpoint 404."""
    assert not vars(OpenView)[name]


def test_a_site_behind_a_session_login_is_not_signed_in_here(user, client):
    """A session cookie is not a credential of these endpoints."""
    client.force_login(user)
    assert client.get(url_of("sessions")).status_code == 401
