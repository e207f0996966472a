"""What is fuzzed: each takes bytes, and raises ``Defect`` or whatever it should not raise."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import time
from collections.abc import Callable
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.db import transaction

from jwt_revoke.codec import decode_access, decode_refresh
from jwt_revoke.exceptions import TokenExpired, TokenInvalid
from tests.fuzz.site import Site

Target = Callable[[bytes], None]
DOCUMENTED = (TokenInvalid, TokenExpired)
ENDPOINTS = (
    *("token/", "token/refresh/", "token/verify/", "token/blacklist/", "logout/", "logout/all/"),
    *("password/change/", "reauthenticate/", "sessions/", "canary/", "jwks.json"),
)
PAGES = (("/api/ping/", 401), ("/account/devices/", 302), ("/admin/login/", 200))


class Defect(AssertionError):
    """A token was accepted that is none, or an answer was an error."""


def b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def access(site: Site) -> Target:
    """Bytes for a token's text: nothing but the genuine one is accepted."""

    def run(data: bytes) -> None:
        text = data.decode("utf-8", "surrogatepass") if _is_text(data) else data.decode("latin-1")
        try:
            decode_access(text, site.ring)
        except DOCUMENTED:
            return
        if text != site.access:
            raise Defect(text)

    return run


def signed(site: Site) -> Target:
    """Header and payload, with a line break between, or a payload alone; signed by the site's key.

    Who passes the signature meets the readers behind it: whatever they let pass is a token of the
    genuine header, whose claims are what the payload says.
    """
    head = base64.urlsafe_b64decode(site.access.split(".")[0] + "==")

    def run(data: bytes) -> None:
        header, line_break, payload = data.partition(b"\n")
        if not line_break:
            header, payload = head, data
        text = b".".join((b64(header), b64(payload)))
        token = b".".join((text, b64(hmac.new(site.secret, text, hashlib.sha256).digest())))
        try:
            claims = decode_access(token.decode(), site.ring)
        except DOCUMENTED:
            return
        if json.loads(header) != json.loads(head) or json.loads(payload) != claims.payload:
            raise Defect(data)
        if min(claims.exp, claims.iat + 366 * 86_400) < time.time():
            raise Defect(data)

    return run


def refresh(site: Site) -> Target:
    """Bytes for a refresh token's text, and for what is under its spelling."""

    def run(data: bytes) -> None:
        for text in (data.decode("latin-1"), b64(data).decode()):
            try:
                decode_refresh(text, site.refresh_ring)
            except TokenInvalid:
                continue
            if text != site.refresh:
                raise Defect(text)

    return run


def header(site: Site) -> Target:
    """Bytes for the ``Authorization`` header, through all of Django."""
    ask = Asking()

    def run(data: bytes) -> None:
        value = data.decode("latin-1")
        status = ask("GET", "/api/ping/", HTTP_AUTHORIZATION=value)
        scheme, _space, rest = value.strip(" \t").partition(" ")
        genuine = scheme.lower() == "bearer" and rest.lstrip(" \t") == site.access
        if status != (200 if genuine else 401):
            raise Defect(status, data)

    return run


def cookie(site: Site) -> Target:
    """A byte that chooses a page, and cookies: of a session, CSRF, a language, messages."""
    ask = Asking()

    def run(data: bytes) -> None:
        if not data:
            return
        path, right = PAGES[data[0] % len(PAGES)]
        value = data[1:].decode("latin-1")
        status = ask("GET", path, HTTP_COOKIE=value, HTTP_ACCEPT_LANGUAGE=value)
        if status != right:
            raise Defect(status, path, data)

    return run


def body(site: Site) -> Target:
    """A byte that chooses an endpoint, and its body; a device that is signed in asks."""
    ask = Asking()

    def run(data: bytes) -> None:
        if not data:
            return
        path = "/api/auth/" + ENDPOINTS[data[0] % len(ENDPOINTS)]
        bearer = {} if path.endswith("logout/") else {"HTTP_AUTHORIZATION": f"Bearer {site.access}"}
        with transaction.atomic():
            status = ask("POST", path, data[1:], **bearer)
            transaction.set_rollback(True)
        if status not in {200, 204, 400, 401, 404, 405, 413}:
            raise Defect(status, path, data)

    return run


class Asking:
    """The site as a WSGI server calls it."""

    def __init__(self) -> None:
        from django.core import signals
        from django.db import close_old_connections

        # The transaction around a request must survive its end.
        signals.request_started.disconnect(close_old_connections)
        signals.request_finished.disconnect(close_old_connections)
        self._handler = WSGIHandler()

    def __call__(self, method: str, path: str, content: bytes = b"", **environ: Any) -> int:
        status: list[str] = []
        response = self._handler(
            {
                "REQUEST_METHOD": method,
                "PATH_INFO": path,
                "SERVER_NAME": "testserver",
                "SERVER_PORT": "80",
                "SERVER_PROTOCOL": "HTTP/1.1",
                "REMOTE_ADDR": "127.0.0.1",
                "CONTENT_TYPE": "application/json",
                "CONTENT_LENGTH": str(len(content)),
                "wsgi.input": io.BytesIO(content),
                "wsgi.url_scheme": "http",
                "wsgi.errors": io.BytesIO(),
                **environ,
            },
            lambda line, _headers: status.append(line),
        )
        b"".join(response)
        response.close()
        return int(status[0][:3])


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


TARGETS: dict[str, Callable[[Site], Target]] = {
    made.__name__: made for made in (access, signed, refresh, header, cookie, body)
}
