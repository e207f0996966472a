"""Headers longer than any honest one, past what gunicorn by itself would let through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jwt_revoke.models import MAX_USER_AGENT, DeviceSession
from jwt_revoke.testing import Device
from tests.conftest import credentials
from tests.starvation.conftest import SERVED, Site
from tests.starvation.crowd import crowd, request
from tests.wire import AUTH, NO_CREDENTIALS, header_refusal

pytestmark = SERVED

SIZES = [8 * 1024, 64 * 1024, 120 * 1024]
AUTHORIZATIONS: dict[str, Callable[[int, str], str]] = {
    "a token": lambda size, access: "Bearer " + access + "A" * size,
    "three segments": lambda size, access: f"Bearer {'A' * (size // 3)}.{'A' * (size // 3)}.AA",
    "points": lambda size, access: "Bearer " + "." * size,
    "two tokens": lambda size, access: f"Bearer {access} {'A' * size}",
    "spaces inside": lambda size, access: "Bearer " + "A " * (size // 2) + "A",
    "no ASCII": lambda size, access: "Bearer " + "\xff" * size,
}
OTHERS: dict[str, Callable[[int], str]] = {
    "Cookie": lambda size: "sessionid=" + "x" * size,
    "Cookie, thousands": lambda size: "; ".join(f"a{n:05}=b" for n in range(size // 10)),
    "X-Forwarded-For": lambda size: ", ".join(["6.6.6.6"] * (size // 9)),
    "X-Forwarded-For, one": lambda size: "6" * size,
    "User-Agent": lambda size: "x" * size,
    "User-Agent, nested": lambda size: "(" * size,
    "Accept": lambda size: "*/*" + ",a/b;q=0.1" * (size // 10),
    "Accept-Language": lambda size: ",".join(["de;q=0.1"] * (size // 9)),
    "X-Anything": lambda size: "x" * size,
}


@pytest.mark.parametrize("shape", AUTHORIZATIONS)
def test_a_huge_authorization_is_an_invalid_token(site: Site, phone: Device, shape: str) -> None:
    """Invariant 10: by its length, whatever is inside; the honest token in it opens nothing."""
    values = [AUTHORIZATIONS[shape](size, phone.access) for size in SIZES]
    (answers,) = crowd(
        site.port, [[request("/api/ping/", Authorization=value) for value in values]]
    )
    refusal = (401, header_refusal("invalid"))
    assert [(answer.status, answer.json) for answer in answers] == [refusal] * len(SIZES)


def test_a_huge_scheme_is_none_of_ours(site: Site, user: Any) -> None:
    values = ["B" * size + " a.b.c" for size in SIZES]
    (answers,) = crowd(
        site.port, [[request("/api/ping/", Authorization=value) for value in values]]
    )
    refusal = (401, NO_CREDENTIALS)
    assert [(answer.status, answer.json) for answer in answers] == [refusal] * len(SIZES)


@pytest.mark.parametrize("header", OTHERS)
def test_another_huge_header_keeps_nobody_from_being_served(
    site: Site, phone: Device, header: str
) -> None:
    """Invariant 10: what is not needed is not read, and what is kept is kept short."""
    name, _comma, _shape = header.partition(",")
    requests = []
    for size in SIZES:
        huge = {name: OTHERS[header](size)}
        requests += [
            request("/api/ping/", token=phone.access, **huge),
            request(AUTH + "token/", credentials(), **huge),
            request(AUTH + "token/refresh/", {"refresh": phone.refresh_token}, **huge),
        ]
    (answers,) = crowd(site.port, [requests])
    # One refresh token, again and again: the grace is the same user agent's, by what is kept of it.
    assert {answer.status for answer in answers} == {200}
    for session in DeviceSession.objects.all():
        assert len(session.user_agent) <= MAX_USER_AGENT
        assert session.ip_address in {"127.0.0.1", None}
