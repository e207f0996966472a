"""Requests that nobody thought of: an answer of 4xx, or what was asked for; never an error
(invariant 10).

Through the whole of Django, middleware included. Each example is rolled back, so that one that does
what it says (a log-out, say) leaves the next one a device that is signed in.
"""

from __future__ import annotations

from contextlib import contextmanager
from urllib.parse import quote
from uuid import UUID

import pytest
from django.db import transaction
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.test import APIClient

from tests.attacks.fuzzing import (
    ANY_CHARACTER,
    BITS_OF_JSON,
    any_text,
    examples,
    mutations,
    objects,
    values,
    written,
)
from tests.attacks.test_bodies import PATHS, good_body
from tests.wire import AUTH, NO_CREDENTIALS, header_refusal

pytestmark = pytest.mark.once

PING = "/api/ping/"
ANSWERS = {200, 204, 400, 401, 404, 413, 415}
MEDIA = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")
OF_HEADERS = st.text(st.characters(max_codepoint=255), max_size=12)
"""What WSGI hands on: each byte as a character."""


@contextmanager
def undone():
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def site(settings, caplog):
    """With whatever else of Django reads a cookie or a header, and no line for each refusal."""
    caplog.set_level("ERROR")
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.middleware.locale.LocaleMiddleware",
        "jwt_revoke.middleware.ActorMiddleware",
    ]
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
    yield
    translation.deactivate()


def is_ours(header, token):
    """Whether an ``Authorization`` header brings that token, and nothing else (RFC 6750 §2.1)."""
    scheme, _space, rest = header.strip(" \t").partition(" ")
    return scheme.lower() == "bearer" and rest.lstrip(" \t") == token


def test_any_authorization_header(site, phone, anonymous):
    genuine = f"Bearer {phone.access}".encode()
    pieces = OF_HEADERS.map(lambda text: text.encode("latin-1"))
    joints = st.sampled_from([b",", b", ", b" ", b"\t", b",Bearer ", b", Bearer a.b.c", b"\x0b"])
    behind = st.tuples(joints, pieces).map(lambda more: genuine + b"".join(more))

    @examples(150)
    @given(st.one_of(mutations(genuine, pieces), behind, pieces).map(lambda d: d.decode("latin-1")))
    def check(header):
        answer = anonymous.get(PING, HTTP_AUTHORIZATION=header)
        if is_ours(header, phone.access):
            assert answer.status_code == 200
        else:
            assert answer.status_code == 401
            assert answer.json() in (header_refusal("invalid"), NO_CREDENTIALS)

    check()


NAMES = (
    "sessionid",
    "csrftoken",
    "django_language",
    "messages",
    "access",
    "token",
    "Authorization",
)
COOKIE_PAGES = (PING, "/account/devices/", "/admin/", "/admin/login/", AUTH + "sessions/")


def test_any_cookie_is_no_credential(site, phone):
    """Nor is it an error: for the session, for CSRF, for the language, for messages."""
    cookies = st.lists(
        st.tuples(st.sampled_from(NAMES), st.one_of(OF_HEADERS, st.just(phone.access))), max_size=4
    ).map(lambda pairs: "; ".join("=".join(pair) for pair in pairs))

    @examples(100)
    @given(st.sampled_from(COOKIE_PAGES), st.one_of(cookies, OF_HEADERS))
    def check(path, cookie):
        answer = APIClient().get(path, HTTP_COOKIE=cookie)
        # To a browser's page one is sent to sign in.
        expected = {PING: 401, AUTH + "sessions/": 401, "/admin/login/": 200}.get(path, 302)
        assert answer.status_code == expected, answer.content[:200]

    check()


def test_any_cookie_beside_a_live_token_changes_nothing(site, phone):
    @examples(40)
    @given(st.lists(st.tuples(st.sampled_from(NAMES), OF_HEADERS), max_size=4))
    def check(pairs):
        cookie = "; ".join("=".join(pair) for pair in pairs)
        assert phone.get(PING, HTTP_COOKIE=cookie).status_code == 200

    check()


def send(device, method, path, body, media):
    url = AUTH + path.replace("<id>", str(device.session_id))
    with undone():
        answer = device.generic(method.upper(), url, body, content_type=media)
    assert answer.status_code in ANSWERS, (answer.status_code, answer.content[:200])
    assert answer["Cache-Control"] == "no-store"
    return answer


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_any_json_object_in_the_body(site, phone, method, path):
    genuine = good_body(path, phone)

    @examples(30)
    @given(st.one_of(objects(genuine), values))
    def check(body):
        send(phone, method, path, written(body), MEDIA[0])
        assert phone.standing == "live"

    check()


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_any_bytes_in_the_body(site, phone, method, path):
    genuine = written(good_body(path, phone))

    @examples(20)
    @given(
        st.one_of(mutations(genuine, BITS_OF_JSON), st.binary(max_size=60)), st.sampled_from(MEDIA)
    )
    def check(body, media):
        send(phone, method, path, body, media)

    check()


def is_spelt(text, own):
    """Whether Python reads that id from it: capitals, braces and missing dashes are the same."""
    try:
        return str(UUID(text)) == own
    except ValueError:
        return False


def test_any_id_of_a_session(site, phone):
    """Nobody's, whatever it says: 404. With a slash in it, it is another path."""
    own = str(phone.session_id)

    @examples(100)
    @given(
        st.sampled_from(["PATCH", "DELETE"]),
        st.one_of(
            any_text,
            st.uuids().map(str),
            mutations(own.encode(), st.binary(max_size=2)).map(lambda data: data.decode("latin-1")),
        ),
    )
    def check(method, text):
        path = f"{AUTH}sessions/{quote(text.encode('utf-8', 'surrogatepass'), safe='')}/"
        with undone():
            answer = phone.generic(method, path, b'{"name": "x"}', content_type=MEDIA[0])
        expected = {200, 204} if is_spelt(text, own) else {404}
        assert answer.status_code in expected, (text, answer.content[:200])

    check()


def test_any_query(site, phone):
    @examples(60)
    @given(
        st.sampled_from([PING, AUTH + "sessions/", "/account/devices/"]),
        st.one_of(
            OF_HEADERS, st.binary(max_size=30).map(quote), st.text(ANY_CHARACTER, max_size=9)
        ),
    )
    def check(path, query):
        query = query.encode("utf-8", "surrogatepass").decode("latin-1")
        assert phone.get(path, QUERY_STRING=query).status_code in {200, 404}

    check()
