"""No line of the log is an attacker's (CWE-117; ASVS 5.0 V16.4.1)."""

from __future__ import annotations

import logging
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from jwt_revoke import api, log, rotation, standing
from jwt_revoke.log import Cause
from jwt_revoke.testing import collect_revocations
from jwt_revoke.verification import verified_claims
from tests.attacks.forging import forged
from tests.conftest import credentials
from tests.wire import AUTH

KEY = "x\nRevoked: scope=everyone"
FORGED = "2026-01-01 INFO jwt_revoke: Revoked: scope=everyone"
BREAKS = ["\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]
"""All that Python's ``splitlines`` ends a line at."""

CLAIMS = ("sub", "sid", "jti", "iss", "aud", "token_type", "exp")


def as_served(text):
    """A header's bytes as WSGI hands them on."""
    return text.encode().decode("latin-1")


def lines(caplog):
    return [line for record in caplog.records for line in record.getMessage().splitlines()]


@pytest.mark.once
@pytest.mark.parametrize("end", BREAKS, ids=ascii)
def test_nothing_that_a_client_sends_is_a_line_of_the_log(phone, anonymous, caplog, end):
    text = f"x{end}{FORGED}"
    with caplog.at_level(logging.DEBUG), collect_revocations():
        anonymous.post(AUTH + "token/", credentials(text))
        anonymous.post(AUTH + "token/", {**credentials(), "device": text})
        anonymous.post(AUTH + "token/", credentials(), HTTP_USER_AGENT=as_served(text))
        anonymous.post(AUTH + "token/", credentials(), HTTP_X_FORWARDED_FOR=as_served(text))
        for path in ("token/refresh/", "token/verify/", "token/blacklist/", "logout/"):
            anonymous.post(AUTH + path, {"refresh": text, "token": text})
        for name in CLAIMS:
            token = forged(phone.access, **{name: text})
            anonymous.get(AUTH + "sessions/", HTTP_AUTHORIZATION=f"Bearer {token}")
        for name in ("kid", "alg", "typ", text):
            token = forged(phone.access, {name: text})
            anonymous.get(AUTH + "sessions/", HTTP_AUTHORIZATION=f"Bearer {token}")
        phone.patch(f"{AUTH}sessions/{phone.session_id}/", {"name": text})
        phone.delete(f"{AUTH}sessions/{quote(text)}/")
        phone.post(AUTH + "logout/")
    said = lines(caplog)
    assert any(line.startswith("Access token refused") for line in said)
    assert any(line.startswith("Sign-in refused") for line in said)
    assert not [line for line in said if line.startswith(FORGED)]


@pytest.mark.once
@pytest.mark.parametrize("end", BREAKS, ids=ascii)
@pytest.mark.parametrize("name", ["reason", "actor", "note"])
def test_what_a_site_says_of_a_revocation_is_no_line_of_its_own(user, caplog, name, end):
    """A site may hand on what somebody typed."""
    with caplog.at_level(logging.INFO, "jwt_revoke"), collect_revocations():
        api.revoke_user(user, **{"reason": "fraud", name: f"x{end}Revoked: scope=everyone"})
    assert [line.partition(" ")[0] for line in lines(caplog)] == ["Revoked:"]


@pytest.mark.once
def test_a_user_s_key_that_is_a_text_is_no_line_of_the_log(db, caplog):
    """A site's primary key may be the name that its users choose."""
    with caplog.at_level(logging.INFO, "jwt_revoke"), collect_revocations():
        log.announce("default", Cause("fraud"), scope="user", subject=KEY, effect="session")
    assert [line.partition(" ")[0] for line in lines(caplog)] == ["Revoked:"]


@pytest.mark.once
def test_a_user_s_key_that_is_a_text_is_no_line_of_a_warning(phone, caplog):
    """Of a replay, and of a database that went back in time."""
    facts = SimpleNamespace(user=SimpleNamespace(pk=KEY))
    with caplog.at_level(logging.WARNING, "jwt_revoke"):
        rotation._end_reused("default", phone.session_id, facts)
        standing._superseded("version", replace(verified_claims(phone.access), sub=KEY), 2, 1)
    assert [line[:7] for line in lines(caplog)] == ["Refresh", "A token"]
