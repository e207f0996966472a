"""What each endpoint costs (docs/queries.md quotes this table), invariants 7 and 8."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from jwt_revoke.keystore import forget_keys, key_ring
from jwt_revoke.testing import Device
from tests.conftest import PASSWORD, credentials
from tests.wire import AUTH, READS

STATEMENTS = {
    "any request of the site": 1,
    "POST token/": 3,
    "POST token/, wrong password": 1,
    "POST token/refresh/": 2,
    "POST token/refresh/, again within the grace": 1,
    "POST token/refresh/, a replay": 3,
    "POST token/verify/, access token": 1,
    "POST token/verify/, refresh token": 1,
    "POST token/blacklist/": 3,
    "POST logout/": 2,
    "POST logout/, again": 1,
    "POST logout/all/": 5,
    "POST logout/all/, keep_current": 10,
    "GET sessions/": 2,
    "PATCH sessions/<id>/": 3,
    "DELETE sessions/<id>/": 4,
    "POST password/change/": 14,
    "POST reauthenticate/": 3,
    "GET jwks.json": 0,
}
NO_STATEMENTS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "ROLLBACK", "SET ")
NEW = "a quite different passphrase"


BODIES = {
    "POST token/": credentials(),
    "POST token/, wrong password": credentials(password="wrong"),
    "POST logout/all/, keep_current": {"keep_current": True},
    "PATCH sessions/<id>/": {"name": "x"},
    "POST password/change/": {"old_password": PASSWORD, "new_password": NEW},
    "POST reauthenticate/": {"password": PASSWORD},
}


def perform(call, phone, laptop):
    """The request that ``call`` names; what it answers."""
    if call == "any request of the site":
        return phone.get("/api/ping/")
    method, path = re.match(r"(\w+) ([^,]+)", call).groups()
    url = AUTH + path.replace("<id>", str(laptop.session_id))
    if method == "GET":
        return phone.get(url)
    token = phone.access if call.endswith("access token") else phone.refresh_token
    body = BODIES.get(call, {"refresh": phone.refresh_token, "token": token})
    return getattr(phone, method.lower())(url, body)


def prepare(call, phone):
    """What must have happened before."""
    if call.endswith("again within the grace"):
        phone.post(AUTH + "token/refresh/", {"refresh": phone.refresh_token})
    if call.endswith("a replay"):
        old = phone.refresh_token
        phone.refresh_tokens()
        phone.refresh_tokens()
        phone.refresh_token = old
    if call == "POST logout/, again":
        phone.post(AUTH + "logout/")


def statements(call, phone, laptop):
    with CaptureQueriesContext(connection) as captured:
        response = perform(call, phone, laptop)
    assert response.status_code < 500
    return [
        query["sql"]
        for query in captured.captured_queries
        if not query["sql"].startswith(NO_STATEMENTS)
    ]


@pytest.mark.parametrize("call", STATEMENTS)
def test_the_cost_of(call, phone, laptop):
    prepare(call, phone)
    sent = statements(call, phone, laptop)
    assert len(sent) == STATEMENTS[call], "\n".join(sent)


@pytest.mark.parametrize("call", [call for call in STATEMENTS if "sessions/<id>" not in call])
def test_the_cost_does_not_depend_on_the_number_of_sessions(call, user, phone, laptop):
    """Invariant 8."""
    for n in range(20):
        Device(user, f"device {n}")
    prepare(call, phone)
    assert len(statements(call, phone, laptop)) == STATEMENTS[call]


@pytest.mark.parametrize("call", STATEMENTS)
def test_keys_in_the_database_cost_no_call_a_statement(call, stored_keys, phone, laptop):
    prepare(call, phone)
    assert len(statements(call, phone, laptop)) == STATEMENTS[call]


def test_a_process_reads_the_keys_by_two_more_at_its_first_token(phone, laptop):
    forget_keys()
    call = "any request of the site"
    assert len(statements(call, phone, laptop)) == STATEMENTS[call] + 2
    assert len(statements(call, phone, laptop)) == STATEMENTS[call]


@pytest.mark.parametrize("call", ["any request of the site", "POST token/verify/, access token"])
def test_authentication_only_reads(call, phone, laptop):
    """Invariant 7."""
    (sql,) = statements(call, phone, laptop)
    assert sql.startswith(READS)
    assert "FOR UPDATE" not in sql


def test_the_documentation_quotes_this_table():
    page = Path(__file__).resolve().parents[2] / "docs" / "queries.md"
    rows = re.findall(r"^\| (`.+?`) \| (\d+) \|", page.read_text(), re.MULTILINE)
    assert {name.replace("`", ""): int(count) for name, count in rows} == STATEMENTS


def test_the_first_sign_in_makes_the_state_row(user, anonymous):
    key_ring()
    with CaptureQueriesContext(connection) as captured:
        assert anonymous.post(AUTH + "token/", credentials()).status_code == 200
    sent = [query["sql"] for query in captured if not query["sql"].startswith(NO_STATEMENTS)]
    assert len(sent) == STATEMENTS["POST token/"] + 4, "\n".join(sent)
