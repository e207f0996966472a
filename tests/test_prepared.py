"""The one SELECT, planned once for a connection; and every reason not to."""

from __future__ import annotations

import contextlib
from unittest import mock

import pytest
from django.db import DataError, connection, transaction
from django.db.backends.utils import CursorWrapper

from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.exceptions import Unavailable
from jwt_revoke.prepared import Statement, _statements
from tests import services
from tests.backends.contract import claims_of
from tests.services.starting import started

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]

SQL = "SELECT %s::int + 1, '100 %%'"
OFTEN = 8
"""More than enough for what is done after some uses."""


@contextlib.contextmanager
def sent():
    """What the database is sent by Django's cursors."""
    texts = []
    execute = CursorWrapper.execute

    def note(self, sql, params=None):
        texts.append(sql)
        return execute(self, sql, params)

    with mock.patch.object(CursorWrapper, "execute", note):
        yield texts


def run(statement, number=1, wrapper=connection):
    return statement.rows(wrapper, [number])[0]


def run_often(statement, wrapper=connection):
    for number in range(OFTEN):
        assert run(statement, number, wrapper) == (number + 1, "100 %")


def is_prepared(statement, wrapper=connection):
    """Whether the next run is by name."""
    with sent() as texts:
        run(statement, 1, wrapper)
    return texts[0].startswith("EXECUTE ")


@pytest.fixture(autouse=True)
def _nothing_prepared(db):
    """By this connection, at first; and nothing that is gone is thought to be there at last."""
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL")
    connection.ensure_connection()
    connection.connection.execute("DEALLOCATE ALL")
    _statements.clear()
    yield
    _statements.clear()
    connection.connection.execute("DEALLOCATE ALL")


@pytest.fixture
def prepared():
    """A statement that this connection has prepared."""
    statement = Statement(SQL)
    run_often(statement)
    return statement


def test_it_is_planned_once_and_run_by_name_from_then_on():
    statement = Statement(SQL)
    with sent() as texts:
        run_often(statement)
    assert texts[0] == SQL
    assert texts[-1].startswith("EXECUTE jwt_revoke_")


def test_a_connection_that_serves_one_request_prepares_nothing():
    statement = Statement(SQL)
    run(statement)
    assert not is_prepared(statement)


def test_another_connection_prepares_for_itself(prepared):
    other = connection.copy()
    try:
        assert not is_prepared(prepared, other)
        run_often(prepared, other)
        assert is_prepared(prepared, other)
    finally:
        other.close()


def test_the_name_is_made_of_the_statement(prepared):
    """Whoever meets it in a connection that is not theirs runs no other."""
    other = Statement(SQL.replace("+ 1", "+ 2"))
    for _ in range(OFTEN):
        assert run(other)[0] == 3
    assert run(prepared)[0] == 2


def test_two_of_the_same_are_one(prepared):
    """The backend of the site, and the one that answers for a replica that is still loading."""
    assert is_prepared(Statement(SQL))


def test_the_checks_of_a_connection_are_prepared(phone, django_assert_num_queries):
    """The site's own counts of its statements stay what they are."""
    backend, claims = DatabaseBackend({}), claims_of(phone)
    for _ in range(OFTEN):
        with django_assert_num_queries(1):
            assert backend.check(claims).pk
    with sent() as texts:
        assert backend.check(claims).get_username() == "alice"
    assert texts[0].startswith("EXECUTE jwt_revoke_")


def test_what_cannot_be_prepared_runs_as_it_is():
    """Its refusal ends no transaction of the site's."""
    statement = Statement("SELECT %s IS NULL")
    with transaction.atomic():
        for _ in range(OFTEN):
            assert run(statement) == (False,)


def test_without_a_parameter():
    statement = Statement("SELECT 7")
    for _ in range(OFTEN):
        assert statement.rows(connection, []) == [(7,)]


def test_an_error_of_its_own_is_raised(prepared):
    with pytest.raises(DataError), transaction.atomic():
        run(prepared, "a")
    assert is_prepared(prepared)


@pytest.mark.django_db(transaction=True)
def test_one_that_is_gone_is_run_as_it_is(prepared):
    """``DISCARD ALL``, or a pooler that was not seen."""
    connection.connection.execute("DEALLOCATE ALL")
    assert run(prepared) == (2, "100 %")
    assert not is_prepared(prepared)


def test_one_that_is_gone_inside_a_transaction_is_an_outage_once(phone):
    """Invariant 4: the transaction is lost, the answer is 503, and the next one has it again."""
    backend, claims = DatabaseBackend({}), claims_of(phone)
    for _ in range(OFTEN):
        backend.check(claims)
    connection.connection.execute("DEALLOCATE ALL")
    with pytest.raises(Unavailable), transaction.atomic():
        backend.check(claims)
    assert backend.check(claims).pk


@pytest.mark.django_db(transaction=True)
def test_a_column_of_another_type_is_read_as_it_is():
    """A migration, while connections stay open."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE thing (amount integer)")
        cursor.execute("INSERT INTO thing VALUES (5)")
    statement = Statement("SELECT amount FROM thing WHERE %s::int > 0")
    for _ in range(OFTEN):
        assert run(statement, 5) == (5,)
    assert is_prepared(statement)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE thing ALTER amount TYPE text")
    assert statement.rows(connection, [5]) == [("5",)]


@pytest.mark.parametrize(
    ("name", "value"),
    [("DISABLE_SERVER_SIDE_CURSORS", True), ("OPTIONS", {"server_side_binding": True})],
)
def test_a_site_may_have_its_reasons(name, value, monkeypatch):
    """The first is what Django tells those behind a pooler in transaction mode to set."""
    statement = Statement(SQL)
    monkeypatch.setitem(connection.settings_dict, name, value)
    run_often(statement)
    assert not is_prepared(statement)


class OfPsycopg2:
    """A connection without what psycopg 3 has."""

    def __init__(self, raw):
        self.raw = raw

    def __getattr__(self, name):
        if name == "transaction":
            raise AttributeError
        return getattr(self.raw, name)


def test_psycopg_2_prepares_nothing():
    statement = Statement(SQL)
    with mock.patch.object(connection, "connection", OfPsycopg2(connection.connection)):
        run_often(statement)
        assert not is_prepared(statement)


@pytest.mark.django_db(transaction=True)
def test_behind_a_pooler_nothing_is_prepared():
    """PgBouncer in transaction mode: the session's next transaction is another connection's."""
    wrapper = connection.copy()
    with started(services.pgbouncer(connection.settings_dict)) as port:
        wrapper.settings_dict |= {"HOST": "127.0.0.1", "PORT": port}
        try:
            statement = Statement(SQL)
            run_often(statement, wrapper)
            assert not is_prepared(statement, wrapper)
        finally:
            wrapper.close()
