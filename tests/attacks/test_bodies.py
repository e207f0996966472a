"""Any body is an answer of 4xx (invariant 10)."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.handlers.wsgi import WSGIHandler

from tests.conftest import PASSWORD, credentials
from tests.wire import AUTH

NAME = get_user_model().USERNAME_FIELD
FIELDS = [
    ("post", "token/", NAME),
    ("post", "token/", "password"),
    ("post", "token/", "device"),
    ("post", "token/refresh/", "refresh"),
    ("post", "token/verify/", "token"),
    ("post", "token/blacklist/", "refresh"),
    ("post", "logout/", "refresh"),
    ("post", "logout/all/", "keep_current"),
    ("patch", "sessions/<id>/", "name"),
    ("post", "password/change/", "old_password"),
    ("post", "password/change/", "new_password"),
    ("post", "reauthenticate/", "password"),
]
PATHS = list(dict.fromkeys((method, path) for method, path, _ in FIELDS))
WRONG: dict[str, Any] = {
    "null": "null",
    "list": '["x"]',
    "empty list": "[]",
    "dict": '{"x": 1}',
    "nested a little": "[" * 50 + "]" * 50,
    "nested to the stack's end": "[" * 30_000 + "]" * 30_000,
    "objects to the stack's end": '{"a":' * 10_000 + "1" + "}" * 10_000,
    "nested 100,000 deep": "[" * 100_000 + "]" * 100_000,
    "a megabyte": json.dumps("x" * 1_000_000),
    "NaN": "NaN",
    "Infinity": "Infinity",
    "an infinity by another name": "1e400",
    "another": "-1e400",
    "nested one more than may be": "[" * 64 + "]" * 64,
    "5,000 digits": "9" * 5000,
    "bad escape": '"\\x"',
    "raw control character": '"\n"',
    "lone surrogate": '"\\ud800"',
    "NUL": '"x\\u0000y"',
}
"""Never right, for any field."""
PERHAPS: dict[str, Any] = {
    "true": "true",
    "number": "12345",
    "float": "1e300",
    "4,000 digits": "9" * 4000,
    "empty": '""',
    "spaces": '"   "',
    "not ASCII": '"パスワード🔑"',
    "60 KB": json.dumps("x" * 60_000),
    "right to left": '"\\u202e\\u200b"',
}
"""Right for some field; never an error."""


def good_body(path, device):
    return {
        "token/": {**credentials(), "device": "phone"},
        "token/refresh/": {"refresh": device.refresh_token},
        "token/verify/": {"token": device.access},
        "token/blacklist/": {"refresh": device.refresh_token},
        "logout/": {"refresh": device.refresh_token},
        "logout/all/": {"keep_current": True},
        "sessions/<id>/": {"name": "phone"},
        "password/change/": {"old_password": PASSWORD, "new_password": "another passphrase"},
        "reauthenticate/": {"password": PASSWORD},
    }[path]


def send(device, method, path, body, content_type="application/json", **extra):
    url = AUTH + path.replace("<id>", str(device.session_id))
    if path == "logout/":
        device.credentials()  # or its header would log it out whatever the body says
    body = body if isinstance(body, bytes) else body.encode()
    return device.generic(method.upper(), url, body, content_type=content_type, **extra)


def with_field(path, field, device, value):
    body = json.dumps({**good_body(path, device), field: "HERE"})
    return body.replace('"HERE"', value)


def assert_an_answer(response, *statuses):
    assert response.status_code in statuses, (response.status_code, response.content[:200])
    assert response["Cache-Control"] == "no-store"
    assert response["Content-Type"] == "application/json"
    json.loads(response.content)


@pytest.mark.parametrize(("method", "path", "field"), FIELDS)
@pytest.mark.parametrize("value", WRONG)
def test_a_value_that_no_field_takes(phone, method, path, field, value):
    body = with_field(path, field, phone, WRONG[value])
    response = send(phone, method, path, body)
    assert_an_answer(response, 400, 413)
    assert phone.standing == "live"


@pytest.mark.parametrize(("method", "path", "field"), FIELDS)
@pytest.mark.parametrize("value", PERHAPS)
def test_a_value_that_only_some_fields_take(phone, method, path, field, value):
    body = with_field(path, field, phone, PERHAPS[value])
    response = send(phone, method, path, body)
    assert response.status_code in {200, 204, 400, 401}, response.content[:200]


@pytest.mark.once
@pytest.mark.parametrize(("method", "path", "field"), FIELDS)
def test_a_name_twice(phone, method, path, field):
    """RFC 8259 §4: a firewall that reads the first of them would let the second pass unseen."""
    twice = json.dumps(good_body(path, phone))[:-1] + f', "{field}": "x"}}'
    assert_an_answer(send(phone, method, path, twice), 400)
    assert phone.standing == "live"


@pytest.mark.once
def test_a_name_twice_where_nobody_looks(phone):
    body = json.dumps(credentials())[:-1] + ', "more": [{"a": 1, "\\u0061": 2}]}'
    assert_an_answer(send(phone, "post", "token/", body), 400)


@pytest.mark.once
@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "body", ["[]", "null", "1", '"x"', "[[]]", "true", '[{"refresh": "x"}]'], ids=str
)
def test_json_that_is_no_object(phone, method, path, body):
    assert_an_answer(send(phone, method, path, body), 400)


@pytest.mark.once
@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "body",
    [b"{", b"\0", b"\xff\xfe\x00", b"{'a': 1}", b'{"a": 1,}', b"\xef\xbb\xbf{}", b"{}{}", b"\x80"],
    ids=repr,
)
def test_bad_json(phone, method, path, body):
    assert_an_answer(send(phone, method, path, body), 400)


@pytest.mark.once
@pytest.mark.parametrize("path", ["token/", "token/refresh/", "token/verify/", "token/blacklist/"])
def test_an_empty_body(phone, path):
    assert_an_answer(send(phone, "post", path, b""), 400)


@pytest.mark.once
@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize("media", ["text/plain", "application/xml", "image/png", "x", "/", "a/b/c"])
def test_an_unknown_media_type(phone, method, path, media):
    response = send(phone, method, path, b"<a/>", content_type=media)
    assert_an_answer(response, 415)


CHARSETS = [
    *("utf-16", "utf-7", "latin-1", "mbcs", "nonsense", "\xff"),
    *("base64", "zip", "bz2", "hex", "rot13", "uu", "quopri"),
    *("idna", "punycode", "undefined", "unicode_escape"),
]


@pytest.mark.once
@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("media", ["application/json", "application/x-www-form-urlencoded"])
def test_a_strange_charset(db, anonymous, charset, media):
    """Python knows "zip" and "base64" for one too: a body would be unpacked."""
    response = anonymous.generic(
        "POST",
        AUTH + "token/",
        b'{"username": "\xff\xfe"}',
        content_type=f"{media}; charset={charset}",
    )
    assert_an_answer(response, 400)


def multipart(boundary, *fields):
    parts = [part(f'; name="{name}"', value, boundary) for name, value in fields]
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def part(disposition, value, boundary="xx", more=""):
    head = f"--{boundary}\r\nContent-Disposition: form-data{disposition}{more}\r\n\r\n"
    value = value if isinstance(value, bytes) else value.encode()
    return head.encode() + value + b"\r\n"


@pytest.mark.once
@pytest.mark.parametrize("charset", CHARSETS)
def test_a_strange_charset_of_a_multipart_body(db, anonymous, charset):
    response = anonymous.generic(
        "POST",
        AUTH + "token/",
        multipart("xx", ("username", "x")),
        content_type=f"multipart/form-data; boundary=xx; charset={charset}",
    )
    assert_an_answer(response, 400)


@pytest.mark.parametrize("charset", ["zip", "utf-16", "nonsense"])
def test_a_right_body_is_utf_8_whatever_it_says(user, anonymous, charset):
    response = anonymous.generic(
        "POST",
        AUTH + "token/",
        json.dumps(credentials()),
        content_type=f"application/json; charset={charset}",
    )
    assert response.status_code == 200


def refusals(path):
    """400; where junk is a text like any other, 401; and what an empty form gets, if it may."""
    may = {"token/": {401}, "logout/": {401}, "logout/all/": {200, 204}}
    return {400} | may.get(path, set())


XX, END = "multipart/form-data; boundary=xx", b"--xx--\r\n"
BASE64 = "\r\nContent-Transfer-Encoding: base64"
BROKEN_MULTIPART = {
    "no boundary": ("multipart/form-data", END),
    "empty boundary": ("multipart/form-data; boundary=", b"----"),
    "boundary of another body": ("multipart/form-data; boundary=yy", multipart("xx", ("a", "b"))),
    "boundary of 5,000 characters": ("multipart/form-data; boundary=" + "x" * 5000, b"x"),
    "boundary that is no ASCII": ("multipart/form-data; boundary=\xff", b"--\xff--"),
    "boundary with a quote": ('multipart/form-data; boundary="x', b"--x--"),
    "no end": (XX, b"--xx\r\nContent-Disposition: form-data"),
    "no name": (XX, part("", "x") + END),
    "bad base64": (XX, part('; name="password"', "!!!", more=BASE64) + END),
    "a file": (XX, part('; name="password"; filename="../../x"', "x") + END),
    "bad UTF-8": (XX, part('; name="password"', b"\xff\xfe") + END),
    "bad charset of a name": (XX, part("; name*=zip''x", "x") + END),
    "an empty body": (XX, b""),
    "1,100 parts": ("multipart/form-data; boundary=x", multipart("x", *[("", "")] * 1100)),
}


@pytest.mark.once
@pytest.mark.parametrize("body", BROKEN_MULTIPART)
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_broken_multipart_body(phone, method, path, body):
    content_type, data = BROKEN_MULTIPART[body]
    response = send(phone, method, path, data, content_type=content_type)
    assert response.status_code in refusals(path) | {413, 415}, response.content


FORMS = {
    "too many fields": b"&".join(b"a=" for _ in range(2000)),
    "bad percent": b"password=%zz&username=%",
    "bad UTF-8": b"password=%ff%fe&username=\xff",
    "NUL": b"password=%00&username=%00",
    "half a surrogate": b"password=%ed%a0%80",
    "only separators": b"&&&===;;;",
}


@pytest.mark.once
@pytest.mark.parametrize("body", FORMS)
@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_broken_form(phone, method, path, body):
    media = "application/x-www-form-urlencoded"
    response = send(phone, method, path, FORMS[body], content_type=media)
    assert response.status_code in refusals(path), response.content


def test_a_form_that_says_keep_current(phone):
    """A form's values are texts: this one still means yes."""
    media = "application/x-www-form-urlencoded"
    response = send(phone, "post", "logout/all/", b"keep_current=true", content_type=media)
    assert response.status_code == 200


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_body_of_more_than_64_kib(phone, method, path):
    response = send(phone, method, path, b" " * 65_536 + b"{}")
    assert_an_answer(response, 413)
    assert response.json() == {"detail": "Request body too large"}


def test_a_body_of_exactly_64_kib_is_read(user, anonymous):
    body = json.dumps(credentials()).ljust(65_536).encode()
    response = anonymous.generic("POST", AUTH + "token/", body, content_type="application/json")
    assert response.status_code == 200


class Server:
    """The site as a WSGI server calls it: no test client to make the request well-formed."""

    def post(self, path, body, **environ):
        status = []
        environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": path,
            "SERVER_NAME": "testserver",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": "application/json",
            "wsgi.input": BytesIO(body),
            "wsgi.url_scheme": "http",
            "wsgi.errors": BytesIO(),
            **environ,
        }
        response = WSGIHandler()(environ, lambda line, _headers: status.append(line))
        content = b"".join(response)
        response.close()
        return int(status[0][:3]), content


@pytest.fixture
def server(user, monkeypatch):
    from django.core import signals
    from django.db import close_old_connections

    # The test's transaction must survive the end of the request.
    signals.request_started.disconnect(close_old_connections)
    signals.request_finished.disconnect(close_old_connections)
    yield Server()
    signals.request_started.connect(close_old_connections)
    signals.request_finished.connect(close_old_connections)


GOOD = json.dumps(credentials()).encode()


def test_the_server_of_these_tests_works(server):
    status, _ = server.post(AUTH + "token/", GOOD, CONTENT_LENGTH=str(len(GOOD)))
    assert status == 200


@pytest.mark.once
@pytest.mark.parametrize(
    "length",
    ["", "0", "5", "65536", "65537", "-1", "x", "1e3", "0x10", " 5", "5 5", "٣", "²", "1.5", "+5",
     "9" * 5000],
)  # fmt: skip
@pytest.mark.parametrize("media", ["application/json", "multipart/form-data; boundary=xx"])
def test_a_content_length_that_lies(server, length, media):
    status, _ = server.post(AUTH + "token/", GOOD, CONTENT_LENGTH=length, CONTENT_TYPE=media)
    # More than there is, is read to the end of what there is.
    assert status in ({200} if (length, media) == ("65536", "application/json") else {400, 413})


def test_a_body_without_a_content_length(server):
    """Chunked, say: WSGI reads nothing, so that nothing is unbounded."""
    assert server.post(AUTH + "token/", GOOD)[0] == 400


def test_a_content_length_in_a_second_header(server):
    status, _ = server.post(AUTH + "token/", GOOD, HTTP_CONTENT_LENGTH="10000000")
    assert status == 400


def test_a_client_that_goes_away_in_the_middle(server):
    class Gone(BytesIO):
        def read(self, *args):
            raise OSError("connection reset")

        readline = read

    status, _ = server.post(AUTH + "token/", b"", CONTENT_LENGTH="50", **{"wsgi.input": Gone(b"")})
    assert 400 <= status < 500


@pytest.mark.parametrize("length", ["0" * 20 + "99999999", "0" * 5000 + "99999999", "9" * 5000])
def test_a_length_padded_with_zeros_is_bounded_too(anonymous, length):
    answer = anonymous.post(AUTH + "token/verify/", {"token": "x"}, CONTENT_LENGTH=length)
    assert answer.status_code == 413


def test_a_length_that_is_no_number_is_400(anonymous):
    answer = anonymous.post(AUTH + "token/verify/", {"token": "x"}, CONTENT_LENGTH="many")
    assert answer.status_code == 400
