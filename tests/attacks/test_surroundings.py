"""Paths, queries, cookies and other headers: anything is an answer (invariant 10)."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from rest_framework.utils import mediatypes

from jwt_revoke.models import DeviceSession
from tests.conftest import credentials
from tests.wire import AUTH

JUNK = [
    "junk",
    "0",
    "-1",
    "%00",
    "%ff",
    "%ed%a0%80",
    "..",
    "%2e%2e",
    "%2f",
    "'%20OR%201=1%20--",
    "00000000-0000-0000-0000-000000000000",
    "g7b54c0f-b534-42c7-b5cc-f59fb7ef10d7",
    "9" * 5000,
    "%F0%9F%94%91",
    "٣" * 32,
    "{}",
    "urn:uuid:",
    "None",
    "%0a",
    "+1234567890abcdef1234567890abcde",
]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: junk[:40])
@pytest.mark.parametrize("method", ["patch", "delete"])
def test_junk_for_a_session_is_404(phone, method, junk):
    path = f"{AUTH}sessions/{quote(junk, safe='%')}/"
    response = getattr(phone, method)(path, {"name": "x"})
    assert response.status_code == 404, response.content
    assert phone.standing == "live"


@pytest.mark.parametrize(
    "query",
    ["format=nonsense", "format=%00", "format=api", "page=x", "%ff=%ff", "version=9", "&" * 500],
)
def test_junk_in_the_query(phone, query):
    response = phone.get(f"{AUTH}sessions/?{query}")
    assert response.status_code in {200, 404}
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "accept", ["", "x", "*/*;q=x", "text/html;q=0", "application/xml", "\xff", "a/b;" * 5000, ",,,"]
)
def test_any_accept_header(phone, accept):
    response = phone.get(AUTH + "sessions/", HTTP_ACCEPT=accept)
    assert response.status_code in {200, 406}
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "x" * 1_000_000,
        "\0",
        "\x1b[31mred",
        "\xff" * 1000,
        "'; DROP TABLE x; --",
        "<script>",
        "%s",
    ],
    ids=lambda agent: repr(agent)[:20],
)
def test_any_user_agent(user, anonymous, agent):
    """A megabyte is cut, and what a terminal would obey is replaced."""
    response = anonymous.post(AUTH + "token/", credentials(), HTTP_USER_AGENT=agent)
    assert response.status_code == 200
    session = DeviceSession.objects.get()
    assert len(session.user_agent) <= 300
    assert session.user_agent.isprintable()


@pytest.mark.parametrize(
    "cookie", ["\xff", "a=b;" * 2000, "sessionid='; --", "csrftoken=" + "x" * 5000]
)
def test_any_cookie(user, anonymous, cookie):
    response = anonymous.post(AUTH + "token/", credentials(), HTTP_COOKIE=cookie)
    assert response.status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "TRACE", "PROPFIND", "x", "POST "])
def test_any_method(phone, method):
    response = phone.generic(method, AUTH + "token/refresh/", b"")
    assert response.status_code == 405
    assert response["Cache-Control"] == "no-store"


def test_a_method_override_is_not_obeyed(phone, laptop):
    path = f"{AUTH}sessions/{laptop.session_id}/"
    response = phone.post(path, {"_method": "DELETE"}, HTTP_X_HTTP_METHOD_OVERRIDE="DELETE")
    assert response.status_code == 405
    assert laptop.standing == "live"


def test_a_script_as_device_name_is_quoted(phone):
    path = f"{AUTH}sessions/{phone.session_id}/"
    phone.patch(path, {"name": "<script>alert(1)</script>"})
    page = phone.get(AUTH + "sessions/", HTTP_ACCEPT="text/html").content
    assert b"<script>alert(1)" not in page
    assert b"&lt;script&gt;alert(1)" in page


@pytest.mark.once
def test_a_long_list_of_media_types_is_not_read_to_its_end(db, anonymous, monkeypatch):
    """Invariant 10. Nobody is signed in yet, and each would be read for each renderer
    (CVE-2026-114138)."""
    read = []
    real = mediatypes.parse_header_parameters
    monkeypatch.setattr(
        mediatypes, "parse_header_parameters", lambda text: read.append(text) or real(text)
    )
    accept = ",".join(f"application/x-{number}" for number in range(3000))
    anonymous.post(AUTH + "token/", credentials(), HTTP_ACCEPT=accept)
    assert len(read) < 1000
