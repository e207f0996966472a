"""All forged tokens sent to a real HTTP server, in every place where somebody looks for one.

Over a socket, as bytes (``raw``): no client makes them well-formed. What is documented is what
comes back (invariant 10), the session of the token that they were made of lives, and no row of ours
has changed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from django.apps import apps

from jwt_revoke.testing import Device
from tests.attacks.forgeries import forgeries
from tests.attacks.raw import Answer, Wire
from tests.attacks.refresh_forgeries import refresh_forgeries
from tests.canary.serving import gunicorn
from tests.wire import (
    AUTH,
    INVALID_TOKEN,
    NO_CREDENTIALS,
    NO_ERROR,
    body_refusal,
    header_refusal,
)

pytestmark = [pytest.mark.once, pytest.mark.races]

PING = ("GET", "/api/ping/")
ELSEWHERE = [
    ("GET", AUTH + "sessions/"),
    ("POST", AUTH + "logout/all/"),
    ("POST", AUTH + "reauthenticate/"),
    ("GET", "/account/devices/"),
    ("GET", "/api/staff/"),
    ("POST", AUTH + "logout/"),
]
BODIES = [
    ("token/refresh/", "refresh"),
    ("token/blacklist/", "refresh"),
    ("logout/", "refresh"),
    ("token/verify/", "token"),
]
COOKIES = ("access", "token", "access_token", "jwt", "Authorization", "sessionid", "csrftoken")


@pytest.fixture(scope="module")
def wire(django_db_setup: None, tmp_path_factory: Any) -> Iterator[Wire]:
    """To the suite's site. Its server takes lines of any length, so that the site has to judge."""
    with pytest.MonkeyPatch.context() as patch:
        limits = "--limit-request-line 0 --limit-request-field_size 1000000"
        patch.setenv("GUNICORN_CMD_ARGS", f"{limits} --threads 2 --keep-alive 60")
        with gunicorn({}, tmp_path_factory.mktemp("server"), workers=1) as url:
            wire = Wire(url)
            yield wire
            wire.close()


def rows() -> dict[str, list[dict[str, Any]]]:
    """Every row of ours."""
    models = apps.get_app_config("jwt_revoke").get_models()
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


@pytest.fixture
def committed_phone(transactional_db: None, phone: Device, wire: Wire) -> Iterator[Device]:
    """A device that the server knows; it is unharmed by whatever the test does."""
    before = rows()
    yield phone
    assert rows() == before
    answer = wire.ask("GET", "/api/ping/", bearer(phone.access))
    assert (answer.status, answer.body) == (200, {"ok": True})
    wire.close()


def encoded(text: str) -> bytes:
    """As a header carries it: bytes, whatever they mean."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def bearer(text: str) -> dict[str, bytes]:
    return {"Authorization": b"Bearer " + encoded(text)}


def in_body(field: str, text: str) -> bytes:
    return json.dumps({field: text}).encode()


Ask = Callable[[str, int], Answer]
Judge = Callable[[str, Answer], bool]


def misjudged(texts: Mapping[str, str], ask: Ask, is_right: Judge) -> dict[str, Answer]:
    """What was answered otherwise than it should be; ``ask`` is told how many were asked before."""
    answers = {name: ask(text, number) for number, (name, text) in enumerate(texts.items())}
    return {name: got for name, got in answers.items() if not is_right(texts[name], got)}


def refused_by_the_server(text: str, answer: Answer) -> bool:
    """No header has these (RFC 9110 §5.5); which of them reach the site is the server's affair."""
    return any(char < " " or char == "\x7f" for char in text) and answer.status == 400


def is_401(answer: Answer, body: Any, challenge: str = INVALID_TOKEN) -> bool:
    found = answer.status, answer.body, answer.headers.get("www-authenticate")
    return found == (401, body, challenge)


def refused_in_header(text: str, answer: Answer) -> bool:
    return refused_by_the_server(text, answer) or is_401(answer, header_refusal("invalid"))


def test_a_forged_token_in_the_header(committed_phone, wire):
    def ask(text, _number):
        return wire.ask(*PING, bearer(text))

    assert misjudged(forgeries(committed_phone.access), ask, refused_in_header) == {}


def test_a_forged_token_in_the_header_of_other_views(committed_phone, wire):
    """By turns, since all have the same authentication class but ``logout/``, which reads alone."""
    logout = AUTH + "logout/"
    asked = {}

    def ask(text, number):
        method, path = ELSEWHERE[number % len(ELSEWHERE)]
        asked[text] = path
        return wire.ask(method, path, bearer(text))

    def is_right(text, answer):
        body = body_refusal if asked[text] == logout else header_refusal
        return refused_by_the_server(text, answer) or is_401(answer, body("invalid"))

    assert misjudged(forgeries(committed_phone.access), ask, is_right) == {}


def refused_in_body(text: str, answer: Answer) -> bool:
    """A text that no database holds is refused as a text."""
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        return answer.status == 400 and set(answer.body) < {"refresh", "token"}
    return is_401(answer, body_refusal("invalid"))


def test_a_forged_access_token_in_the_body(committed_phone, wire):
    def ask(text, _number):
        return wire.ask("POST", AUTH + "token/verify/", body=in_body("token", text))

    assert misjudged(forgeries(committed_phone.access), ask, refused_in_body) == {}


def test_a_forged_refresh_token_in_the_body(committed_phone, wire):
    def ask(text, _number):
        return wire.ask("POST", AUTH + "token/refresh/", body=in_body("refresh", text))

    assert misjudged(refresh_forgeries(committed_phone.refresh_token), ask, refused_in_body) == {}


def test_any_forged_token_in_any_body(committed_phone, wire):
    """By turns: an access token where a refresh token belongs, too."""

    def ask(text, number):
        path, field = BODIES[number % len(BODIES)]
        return wire.ask("POST", AUTH + path, body=in_body(field, text))

    phone = committed_phone
    texts = {**forgeries(phone.access), **refresh_forgeries(phone.refresh_token)}
    assert misjudged(texts, ask, refused_in_body) == {}


def test_a_token_in_a_cookie(committed_phone, wire):
    """The genuine one too: what a browser sends by itself can be forged across sites."""

    def ask(text, _number):
        cookie = b"; ".join(name.encode() + b"=" + encoded(text) for name in COOKIES)
        return wire.ask(*PING, {"Cookie": cookie})

    def is_right(text, answer):
        refused = refused_by_the_server(text, answer)
        return refused or is_401(answer, NO_CREDENTIALS, NO_ERROR)

    # A third of them: nothing reads a token there, so that all are one case.
    third = list(forgeries(committed_phone.access).items())[::3]
    texts = {"genuine": committed_phone.access, **dict(third)}
    assert misjudged(texts, ask, is_right) == {}


def test_a_rotated_refresh_token_at_a_process_that_was_not_there(transactional_db, phone, wire):
    """Invariant 5; CVE-2026-9802 (Keycloak): after a restart the used ones were new again.

    The server's process has seen nothing of this session. The browser is another, so that there is
    no grace.
    """
    used = phone.refresh_token
    phone.refresh_tokens()
    answer = wire.ask(
        *("POST", AUTH + "token/refresh/"),
        {"User-Agent": b"Thief/1"},
        in_body("refresh", used),
    )
    assert is_401(answer, body_refusal("revoked"))
    assert phone.device_session.end_reason == "refresh_reused"
    answer = wire.ask(*PING, bearer(phone.access))
    assert is_401(answer, header_refusal("revoked"))
