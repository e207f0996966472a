"""The database backend: strict, one SELECT, and nothing that the rows say is missed."""

from __future__ import annotations

from contextlib import contextmanager
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import DataError, OperationalError, connection, models
from django.db.backends.utils import CursorWrapper
from django.test.utils import CaptureQueriesContext

from jwt_revoke import api
from jwt_revoke.backends.base import get_backend
from jwt_revoke.backends.database import DatabaseBackend, _can_be_asked_for
from jwt_revoke.exceptions import TokenRefused, TokenRevoked, TokenStale, Unavailable
from jwt_revoke.keystore import key_ring
from jwt_revoke.models import Generation, UserTokenState
from tests.backends.contract import OpaqueSubject, RowsContract, claims_of
from tests.conftest import make_user
from tests.wire import READS

User = get_user_model()
HAS_IS_ACTIVE = any(field.name == "is_active" for field in User._meta.fields)
needs_is_active = pytest.mark.skipif(
    not HAS_IS_ACTIVE, reason="the user model has no column is_active"
)


class TestContract(RowsContract):
    backend = DatabaseBackend


@pytest.mark.once
class TestContractByAnOpaqueId(OpaqueSubject, RowsContract):
    backend = DatabaseBackend

    def test_a_user_who_never_was_is_revoked(self, phone):
        """Or was renewed since: while the session lives, the refresh says which."""
        self.assert_stale(phone, sub=uuid4().urn)


def rows_of(user):
    return User._base_manager.filter(pk=user.pk)


def owner(name):
    """Table and column of a field of the user; with inheritance it may be a parent's."""
    field = User._meta.get_field(name)
    quote = connection.ops.quote_name
    return quote(field.model._meta.db_table), quote(field.column), field.model._meta.pk


def raw_update(user, name, value):
    table, column, key = owner(name)
    prepared = key.get_db_prep_value(user.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {column} = %s WHERE {connection.ops.quote_name(key.column)} = %s",
            [value, prepared],
        )
        assert cursor.rowcount == 1


def queryset_update(user, name, value):
    assert rows_of(user).update(**{name: value}) == 1


def bulk_update(user, name, value):
    setattr(user, name, value)
    User._base_manager.bulk_update([user], [name])


UNSEEN = pytest.mark.parametrize("change", [queryset_update, bulk_update, raw_update])


def check(device, **changes):
    return get_backend().check(claims_of(device, **changes))


@needs_is_active
@UNSEEN
def test_a_suspension_that_no_signal_saw_is_seen(phone, user, change):
    """Invariant 1."""
    change(user, "is_active", False)
    with pytest.raises(TokenStale, match="inactive"):
        check(phone)


@UNSEEN
def test_a_password_change_that_no_signal_saw_is_seen(phone, user, change):
    """Invariant 1."""
    change(user, "password", make_password("another"))
    with pytest.raises(TokenStale, match="password"):
        check(phone)


@pytest.mark.parametrize("unusable", ["", "!", "!" + "x" * 40])
def test_a_password_made_unusable_is_seen(phone, user, unusable):
    queryset_update(user, "password", unusable)
    with pytest.raises(TokenStale, match="password"):
        check(phone)


def test_every_unusable_password_counts_as_the_same(user, sign_in):
    """Django writes a fresh random text each time: a save of the form is no change."""
    user.set_unusable_password()
    user.save()
    device = sign_in(user)
    queryset_update(user, "password", make_password(None))
    check(device)


def test_a_deletion_that_no_signal_saw_is_seen(phone, user):
    """Invariant 1."""
    rows = rows_of(user)
    rows._raw_delete(rows.db)
    with pytest.raises(TokenRevoked, match="no such user"):
        check(phone)


def test_a_queryset_deletion_is_seen(phone, user):
    rows_of(user).delete()
    with pytest.raises(TokenRevoked):
        check(phone)


def test_a_session_row_that_is_gone_is_seen(phone):
    phone.device_session.delete()
    with pytest.raises(TokenRevoked, match="no such session"):
        check(phone)


def test_a_state_row_that_is_gone_lets_nobody_in(phone):
    UserTokenState.objects.all().delete()
    with pytest.raises(TokenRefused):
        check(phone)


def test_everything_is_one_select(phone):
    check(phone)
    with CaptureQueriesContext(connection) as captured:
        user = check(phone)
        str(user.get_username()), user.password
    (query,) = captured.captured_queries
    assert query["sql"].startswith(READS)


def test_the_compiled_statement_serves_different_users(phone, sign_in):
    bob = sign_in(make_user("bob"))
    backend = DatabaseBackend({})
    names = [backend.check(claims_of(device)).get_username() for device in (phone, bob, phone)]
    assert names == ["alice", "bob", "alice"]


def test_the_user_is_as_the_orm_would_have_read_it(phone, user):
    found, read = check(phone), User._default_manager.get(pk=user.pk)
    names = [field.attname for field in User._meta.concrete_fields]
    assert {name: found.__dict__[name] for name in names} == {
        name: read.__dict__[name] for name in names
    }
    assert found._state.db == read._state.db
    assert not found._state.adding


def test_the_user_carries_nothing_of_ours(phone):
    assert not [name for name in vars(check(phone)) if name.startswith("jwt_revoke")]


class SameTenant(type(User._default_manager)):
    """A manager that shows what today's tenant may see."""

    visible = "alice"

    def get_queryset(self):
        return super().get_queryset().filter(**{User.USERNAME_FIELD: self.visible})


@pytest.fixture
def tenants(monkeypatch, settings):
    """The user model as if its default manager were ``SameTenant``."""
    manager = SameTenant()
    manager.model, manager.name = User, "tenants"
    monkeypatch.setitem(User._meta.__dict__, "default_manager", manager)
    return manager


def test_a_user_whom_the_sites_manager_shows_is_let_in(phone, user, tenants):
    assert check(phone) == user


def test_a_user_whom_the_sites_manager_hides_is_refused(phone, tenants, monkeypatch):
    check(phone)
    monkeypatch.setattr(SameTenant, "visible", "somebody else")
    with pytest.raises(TokenRevoked, match="no such user"):
        check(phone)


def test_with_a_manager_of_the_sites_own_it_is_one_select_too(
    phone, tenants, django_assert_num_queries
):
    with django_assert_num_queries(1):
        user = check(phone)
    assert not [name for name in vars(user) if name.startswith("jwt_revoke")]


@needs_is_active
def test_with_a_manager_of_the_sites_own_a_suspension_is_seen_too(phone, user, tenants):
    queryset_update(user, "is_active", False)
    with pytest.raises(TokenStale):
        check(phone)


@pytest.fixture
def database_is_away(phone, monkeypatch):
    """Asked for by ``with``: the test's own clean-up needs the database again."""

    def fail(self, sql, params=None):
        raise OperationalError("server closed the connection unexpectedly")

    @contextmanager
    def away():
        with monkeypatch.context() as patch:
            patch.setattr(CursorWrapper, "execute", fail)
            yield

    return away


def test_a_database_that_does_not_answer_is_unavailable(phone, database_is_away):
    """Invariant 4."""
    with database_is_away(), pytest.raises(Unavailable):
        DatabaseBackend({}).check(claims_of(phone))


def test_a_database_that_does_not_answer_is_503(phone, database_is_away):
    """Invariant 4."""
    with database_is_away():
        response = phone.get("/api/ping/")
    assert response.status_code == 503
    assert response["Retry-After"] == "1"
    assert response.json() == {"detail": "Temporarily unavailable. Try again."}


def test_a_version_ahead_of_the_database_is_refused_and_alarmed(phone, caplog):
    """The database was restored from an older backup."""
    with caplog.at_level("CRITICAL", "jwt_revoke"), pytest.raises(TokenStale, match="ahead"):
        check(phone, ver=claims_of(phone).ver + 1)
    (record,) = caplog.records
    assert "revoke --everyone" in record.getMessage()


def test_a_generation_ahead_of_the_database_is_refused_and_alarmed(phone, caplog):
    with caplog.at_level("CRITICAL", "jwt_revoke"), pytest.raises(TokenStale, match="ahead"):
        check(phone, gen=1)
    assert [record.levelname for record in caplog.records] == ["CRITICAL"]


def test_a_version_of_the_past_is_no_alarm(phone, user, caplog):
    api.revoke_user(user, effect="access")
    with caplog.at_level("WARNING", "jwt_revoke"), pytest.raises(TokenStale):
        check(phone)
    assert not caplog.records


def test_without_a_generation_row_the_generation_is_zero(phone):
    assert not Generation.objects.exists()
    assert claims_of(phone).gen == 0
    check(phone)


@pytest.mark.parametrize("sub", ["9" * 30, "-1", "0", "1e3", "abc", "1.5", "%s", "'--"])
def test_a_subject_that_is_no_key_of_a_user_is_refused(phone, sub):
    """Invariant 10: an answer, whatever the database makes of it."""
    with pytest.raises(TokenRefused):
        check(phone, sub=sub)


@pytest.mark.parametrize("spelling", [" {}", "{}\n", "+{}", "0{}", "{{{}}}", "urn:uuid:{}"])
def test_a_second_spelling_of_the_subject_is_refused(phone, user, spelling):
    """What is filed under the subject's text, a floor say, must not be passed by."""
    with pytest.raises(TokenRefused):
        check(phone, sub=spelling.format(user.pk))


@pytest.mark.parametrize("jti", ["é" * 255, "'; DROP TABLE x; --", "%s", "\U0001f511"])
def test_a_strange_jti_is_only_a_parameter(phone, jti):
    check(phone, jti=jti)


def test_a_key_that_a_database_refuses_before_it_is_asked_is_nobodys():
    """MySQL has no 0 in an AutoField; Django says so with an error of its own."""
    integer = models.IntegerField()
    assert _can_be_asked_for(integer, 7, connection)
    assert not _can_be_asked_for(integer, "seven", connection)


@pytest.mark.parametrize("error", [DataError, OverflowError])
def test_a_key_that_the_database_will_not_hear_of_is_nobodys(phone, monkeypatch, error):
    """Invariant 10: a column of the site's own may refuse more than we can know."""

    def refuse(*_arguments):
        raise error

    monkeypatch.setattr(DatabaseBackend, "_run", refuse)
    with pytest.raises(TokenRevoked):
        check(phone)


# What the site fetches along with its users: JWT_REVOKE["USER_QUERYSET"].


def with_state(queryset):
    return queryset.select_related("jwt_revoke_state")


def with_groups(queryset):
    return queryset.prefetch_related("groups")


def with_devices(queryset):
    return queryset.annotate(devices=models.Count("jwt_revoke_sessions"))


def of_nobody(queryset):
    return queryset.none()


def with_the_name_alone(queryset):
    return queryset.only(User.USERNAME_FIELD)


asked_for: list = []


def counted(queryset):
    asked_for.append(queryset.model)
    return queryset


@pytest.fixture
def fetch(settings):
    """``fetch(f)`` makes ``f`` the site's ``USER_QUERYSET``."""

    def fetch(function):
        path = f"{__name__}.{function.__name__}"
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, "USER_QUERYSET": path}
        key_ring()  # what a process reads once is not counted

    return fetch


def test_a_relation_fetched_along_is_in_the_one_select(
    phone, fetch, user, django_assert_num_queries
):
    fetch(with_state)
    with django_assert_num_queries(1):
        assert check(phone).jwt_revoke_state.pk == user.pk


@pytest.mark.skipif(not hasattr(User, "groups"), reason="the user model has no groups")
def test_what_is_prefetched_is_one_statement_more(phone, fetch, django_assert_num_queries):
    fetch(with_groups)
    with django_assert_num_queries(2):
        assert list(check(phone).groups.all()) == []


def test_an_annotation_of_the_sites_own_stays_on_the_user(phone, laptop, fetch):
    fetch(with_devices)
    user = check(phone)
    assert user.devices == 2
    assert not [name for name in vars(user) if name.startswith("jwt_revoke")]


def test_a_user_whom_the_queryset_leaves_out_is_refused(phone, fetch):
    fetch(of_nobody)
    with pytest.raises(TokenRevoked, match="no such user"):
        check(phone)


def test_fields_that_the_queryset_leaves_out_are_judged_all_the_same(phone, user, fetch):
    fetch(with_the_name_alone)
    assert check(phone) == user
    queryset_update(user, "password", make_password("another"))
    with pytest.raises(TokenStale, match="password"):
        check(phone)


@pytest.mark.parametrize("function", [with_state, with_devices])
def test_a_revocation_is_seen_whatever_is_fetched_along(phone, user, fetch, function):
    fetch(function)
    api.revoke_user(user, effect="access")
    with pytest.raises(TokenStale, match="version"):
        check(phone)


def test_the_queryset_is_asked_for_with_each_check(phone, fetch, monkeypatch):
    """It may depend on the request: a tenant's, say."""
    monkeypatch.setattr(f"{__name__}.asked_for", [])
    fetch(counted)
    check(phone)
    check(phone)
    assert asked_for == [User, User]


# ``sub`` as an opaque id (s12)


@pytest.fixture
def opaque(settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SUBJECT": "opaque"}


@pytest.fixture
def tablet(opaque, user, sign_in):
    """A device whose tokens say one."""
    return sign_in(user, "tablet")


def test_by_an_opaque_id_everything_is_one_select_too(tablet, django_assert_num_queries):
    with django_assert_num_queries(1):
        user = check(tablet)
        str(user.get_username()), user.password
    assert not [name for name in vars(user) if name.startswith("jwt_revoke")]


def test_by_an_opaque_id_the_compiled_statement_serves_different_users(tablet, sign_in):
    bob = sign_in(make_user("bob"))
    backend = DatabaseBackend({})
    names = [backend.check(claims_of(device)).get_username() for device in (tablet, bob, tablet)]
    assert names == ["alice", "bob", "alice"]


def test_an_opaque_id_of_another_user_is_refused(tablet, sign_in):
    """User and session belong together, whatever the token says."""
    bob = sign_in(make_user("bob"))
    with pytest.raises(TokenRevoked, match="no such session"):
        check(tablet, sub=claims_of(bob).sub)


@pytest.mark.parametrize(("effect", "refusal"), [("access", TokenStale), ("session", TokenRevoked)])
def test_a_renewed_id_is_refused_as_its_session_deserves(tablet, user, effect, refusal):
    api.renew_subject(user, effect=effect)
    with pytest.raises(refusal):
        check(tablet)


@pytest.mark.parametrize(("before", "after"), [("pk", "opaque"), ("opaque", "pk")])
def test_a_token_from_before_the_setting_was_changed_has_to_be_refreshed(
    user, sign_in, settings, before, after
):
    """Nobody is signed out: the refresh brings the other kind."""
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SUBJECT": before}
    phone = sign_in(user)
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SUBJECT": after}
    with pytest.raises(TokenStale):
        check(phone)
    api.end_session(phone.session_id)
    with pytest.raises(TokenRevoked):
        check(phone)


def test_by_an_opaque_id_the_sites_manager_is_asked_too(
    tablet, user, tenants, monkeypatch, django_assert_num_queries
):
    with django_assert_num_queries(1):
        assert check(tablet) == user
    monkeypatch.setattr(SameTenant, "visible", "somebody else")
    with pytest.raises(TokenRefused):
        check(tablet)


def test_a_relation_is_fetched_along_by_an_opaque_id_too(
    tablet, user, fetch, django_assert_num_queries
):
    fetch(with_state)
    with django_assert_num_queries(1):
        assert check(tablet).jwt_revoke_state.pk == user.pk


def test_the_user_of_a_renewed_id_can_be_loaded_where_it_was_let_in(tablet, user):
    """Invariant 2: a view that renews its own user may need a field afterwards."""
    claims, backend = claims_of(tablet), DatabaseBackend({})
    assert backend.check(claims) == backend.load(claims) == user
    api.renew_subject(user)
    assert backend.load(claims) == user


def test_an_opaque_id_that_cannot_be_looked_up_is_503(tablet, settings, database_is_away):
    """Invariant 4: also where the backend itself needs no row."""
    path = "jwt_revoke.backends.stateless.StatelessBackend"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}
    with database_is_away():
        response = tablet.get("/api/ping/")
    assert (response.status_code, response["Retry-After"]) == (503, "1")
