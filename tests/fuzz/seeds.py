"""What a fuzzer begins with, so that it need not guess what a token is."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

from tests.attacks.forgeries import forgeries
from tests.attacks.refresh_forgeries import refresh_forgeries
from tests.fuzz.site import Site
from tests.fuzz.targets import ENDPOINTS, PAGES

COOKIES = (
    *("sessionid=x; csrftoken=y", "django_language=de; messages=W1sianNvbiIsMCwyMCwiYSJdXQ:1:x"),
    *('a="\\073\\"b"; =; ;', "messages=.eJwDAAAAAAE:1:x", "sessionid=" + "a" * 32),
)
DICTIONARY = (
    *("{", "}", "[", "]", ":", ",", "null", "true", "NaN", "Infinity", "1e400", "-", "\\\\u", "."),
    *("alg", "none", "HS256", "kid", "typ", "at+jwt", "crit", "zip", "b64", "jwk", "jku", "x5u"),
    *("token_type", "access", "sub", "sid", "jti", "iat", "exp", "auth_time", "ver", "gen", "nbf"),
    *("Bearer ", "bearer", "refresh", "token", "password", "keep_current", "device", "sessionid="),
)
"""In libFuzzer's own notation, which needs quotes around each."""


def seeds(target: str, site: Site) -> Iterator[bytes]:
    token, refresh = site.access.encode(), site.refresh.encode()
    if target == "access":
        yield token
        yield from (text.encode("utf-8", "surrogatepass") for text in short(forgeries(site.access)))
    elif target == "signed":
        head, payload, _ = token.split(b".")
        pair = base64.urlsafe_b64decode(head + b"=="), base64.urlsafe_b64decode(payload + b"==")
        yield b"\n".join(pair)
        yield pair[1]
        for extra in ('"own": [{"a": [1.5, null]}]', '"nbf": 1', '"own": 1e400', '"aud": null'):
            yield pair[1][:-1] + b", " + extra.encode() + b"}"
    elif target == "refresh":
        yield refresh
        yield base64.urlsafe_b64decode(refresh)
        texts = short(refresh_forgeries(site.refresh))
        yield from (text.encode("latin-1", "replace") for text in texts)
    elif target == "header":
        for prefix in (b"Bearer ", b"bearer\t", b"Basic ", b"Bearer  ", b"Token "):
            yield prefix + token
        texts = short(forgeries(site.access))
        yield from (b"Bearer " + text.encode("latin-1", "replace") for text in texts)
    elif target == "cookie":
        for number in range(len(PAGES)):
            yield from (bytes([number]) + text.encode() for text in COOKIES)
    else:
        fields = {"refresh": site.refresh, "token": site.access, "keep_current": True}
        more = {"username": "alice", "password": "wrong", "old_password": "x", "new_password": "y"}
        for number in range(len(ENDPOINTS)):
            yield bytes([number]) + json.dumps({**fields, **more}).encode()


def short(texts: dict[str, str]) -> list[str]:
    """Long ones would make each run long."""
    return [text for text in texts.values() if len(text) < 2_000]
