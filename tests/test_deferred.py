"""The user whose row is read at the first need of it."""

from __future__ import annotations

import copy
import pickle
import threading
import weakref
from contextlib import contextmanager

import django
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, models
from django.db.backends.utils import CursorWrapper
from django.db.models.signals import post_init, pre_init
from django.template import Context, Template
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import timezone
from django.utils.connection import ConnectionDoesNotExist
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from jwt_revoke import api
from jwt_revoke import deferred as deferred_module
from jwt_revoke.authentication import (
    ServiceUnavailable,
    TokenNotValid,
    authenticate_token,
    check_strictly,
)
from jwt_revoke.deferred import deferred_user
from jwt_revoke.models import DeviceSession, Revocation
from tests.accounts.models import Membership, UUIDMember
from tests.backends.contract import claims_of
from tests.conftest import PASSWORD
from tests.races.together import together
from tests.wire import assert_refused_header

pytestmark = pytest.mark.django_db

User = get_user_model()
NAME = User.USERNAME_FIELD
HAS_IS_ACTIVE = any(field.name == "is_active" for field in User._meta.fields)


@pytest.fixture(autouse=True)
def _model_as_it_is():
    """Looked at anew: no site changes its model while it serves."""
    deferred_module._plain.cache_clear()
    yield
    deferred_module._plain.cache_clear()


@pytest.fixture
def stateless(settings):
    """The simplest backend that reads no row."""
    path = "jwt_revoke.backends.stateless.StatelessBackend"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}


@pytest.fixture
def deferred(stateless, phone):
    return authenticate_token(phone.access)[0]


def can_wait():
    return deferred_user(1, None) is not None


def rows_of(user):
    return User._base_manager.filter(pk=user.pk)


def is_loaded(user):
    return not user.get_deferred_fields() and not {"refresh_from_db", "__getstate__"} & {
        *vars(user)
    }


def test_it_is_an_instance_of_the_user_model(deferred):
    assert type(deferred) is User


def test_its_key_costs_nothing(deferred, user, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert deferred.pk == user.pk
        assert deferred
        assert deferred.is_authenticated
        assert not deferred.is_anonymous
        assert deferred == user
        assert {deferred: "known"}[user] == "known"


def test_it_stands_for_its_key_in_a_query(deferred, phone, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert DeviceSession.objects.get(user=deferred).pk == phone.session_id
    assert not is_loaded(deferred)


def test_the_first_need_of_a_field_reads_them_all(deferred, user, django_assert_num_queries):
    with django_assert_num_queries(1):
        assert deferred.get_username() == user.get_username()
    with django_assert_num_queries(0):
        assert deferred.check_password(PASSWORD)
        assert [getattr(deferred, field.attname) for field in User._meta.concrete_fields]


def test_loaded_it_is_as_a_query_would_have_made_it(deferred, user):
    deferred.get_username()
    read = User._default_manager.get(pk=user.pk)
    own, expected = vars(deferred), vars(read)
    assert {**own, "_state": None} == {**expected, "_state": None}
    assert vars(deferred._state).items() >= vars(read._state).items()
    assert not deferred._state.adding


def test_a_request_that_needs_no_field_reads_no_row(stateless, phone, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert phone.get("/api/ping/").status_code == 200
    with django_assert_num_queries(1):
        assert phone.get("/api/me/").json()["username"] == "alice"


def test_what_was_set_before_it_was_loaded_stays(deferred, django_assert_num_queries):
    moment = timezone.now()
    with django_assert_num_queries(0):
        deferred.last_login = moment
    deferred.get_username()
    assert deferred.last_login == moment


def test_saving_writes_what_was_set_and_nothing_else(deferred, user):
    """As Django does with deferred fields: what others change meanwhile is not undone."""
    deferred.last_login = moment = timezone.now().replace(microsecond=0)
    with CaptureQueriesContext(connection) as captured:
        deferred.save()
    (update,) = [query["sql"] for query in captured if query["sql"].startswith("UPDATE")]
    assert "last_login" in update
    assert "password" not in update
    assert rows_of(user).get().last_login == moment


def test_saving_it_untouched_changes_nothing(deferred, user):
    before = rows_of(user).values().get()
    deferred.save()
    assert rows_of(user).values().get() == before


def test_a_password_set_on_it_is_a_password_change(deferred, phone):
    deferred.set_password("another")
    deferred.save()
    with pytest.raises(TokenNotValid):
        check_strictly(claims_of(phone))
    assert rows_of(deferred).get().check_password("another")


def test_a_password_that_was_set_does_not_take_the_view_its_user(deferred, phone):
    """The token is dead by then. A 401 here would roll the change back under ATOMIC_REQUESTS."""
    deferred.set_password("another")
    deferred.save()
    assert deferred.get_username() == "alice"


def test_a_user_that_was_deleted_can_still_be_told_good_bye(deferred, user):
    deferred.delete()
    assert not rows_of(user).exists()
    assert deferred.get_username() == "alice"


def test_an_account_that_is_gone_is_not_saved(deferred, user):
    delete(rows_of(user))
    deferred.last_login = timezone.now()
    with pytest.raises(TokenNotValid):
        deferred.save()


def suspend(rows):
    rows.update(is_active=False)


def change_password(rows):
    rows.update(password=make_password("another"))


def delete(rows):
    rows._raw_delete(rows.db)


UNSEEN = [
    pytest.param(
        suspend, "stale", marks=pytest.mark.skipif(not HAS_IS_ACTIVE, reason="no such column")
    ),
    (change_password, "stale"),
    (delete, "revoked"),
]


@pytest.mark.parametrize(("change", "reason"), UNSEEN)
def test_an_account_that_changed_unseen_is_refused_where_it_is_needed(
    stateless, user, phone, change, reason
):
    """The whole answer of the view is a 401, though it had been let in."""
    change(rows_of(user))
    assert phone.get("/api/ping/").status_code == 200
    assert_refused_header(phone.get("/api/me/"), reason)


@pytest.mark.skipif(not hasattr(User, "is_staff"), reason="no such column")
def test_an_account_that_a_permission_needs_is_refused_there(stateless, user, phone):
    suspend(rows_of(user))
    assert_refused_header(phone.get("/api/staff/"), "stale")


@contextmanager
def database_away(monkeypatch):
    def fail(self, sql, params=None):
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", fail)
        yield


def test_a_database_that_is_away_then_is_503(stateless, phone, monkeypatch):
    """Invariant 4."""
    with database_away(monkeypatch):
        assert phone.get("/api/ping/").status_code == 200
        response = phone.get("/api/me/")
    assert (response.status_code, response["Retry-After"]) == (503, "1")
    assert response.json() == {"detail": "Temporarily unavailable. Try again."}


def test_what_could_not_be_loaded_is_loaded_later(deferred, monkeypatch):
    with database_away(monkeypatch), pytest.raises(ServiceUnavailable):
        deferred.get_username()
    assert deferred.get_username() == "alice"


def test_outside_of_a_view_the_refusal_is_raised_too(deferred, user):
    delete(rows_of(user))
    with pytest.raises(TokenNotValid) as caught:
        deferred.get_username()
    assert isinstance(caught.value, AuthenticationFailed)
    assert caught.value.reason == "revoked"


@pytest.mark.parametrize("text", ["{{ user." + NAME + " }}", "{{ user.get_username }}"])
def test_a_template_shows_nothing_of_an_account_that_is_gone(deferred, user, text):
    """It is rendered after the view, where no exception is turned into an answer."""
    delete(rows_of(user))
    assert Template(f"[{text}]").render(Context({"user": deferred})) == "[]"


@pytest.mark.parametrize(
    "copied",
    [copy.copy, copy.deepcopy, lambda user: pickle.loads(pickle.dumps(user))],
    ids=["copy", "deepcopy", "pickle"],
)
def test_a_copy_is_of_the_loaded_user(deferred, user, copied, django_assert_num_queries):
    with django_assert_num_queries(1):
        twin = copied(deferred)
    with django_assert_num_queries(0):
        assert twin.get_username() == deferred.get_username() == user.get_username()
    assert is_loaded(twin)
    assert is_loaded(deferred)
    assert twin._state is not deferred._state


def test_a_copy_of_one_that_was_loaded_costs_nothing(deferred, django_assert_num_queries):
    deferred.get_username()
    with django_assert_num_queries(0):
        assert pickle.loads(pickle.dumps(copy.deepcopy(copy.copy(deferred)))) == deferred


def test_its_pickling_hook_taken_before_it_was_loaded_still_works(deferred):
    hook = deferred.__getstate__
    deferred.get_username()
    assert hook()[NAME] == "alice"


def test_refreshing_reads_what_was_set_again(deferred, user):
    deferred.last_login = timezone.now()
    deferred.refresh_from_db()
    assert deferred.last_login == user.last_login
    assert is_loaded(deferred)


def test_refreshing_one_field_reads_it_again_and_keeps_the_others(deferred, user):
    deferred.last_login = timezone.now()
    setattr(deferred, NAME, "mine")
    deferred.refresh_from_db(fields=["last_login"])
    assert deferred.last_login == user.last_login
    assert getattr(deferred, NAME) == "mine"
    assert is_loaded(deferred)


def test_refreshing_from_a_queryset_of_ones_own_asks_that(deferred):
    with pytest.raises(User.DoesNotExist):
        deferred.refresh_from_db(fields=[NAME], from_queryset=User._base_manager.none())


def test_refreshing_from_another_database_asks_that(deferred):
    with pytest.raises(ConnectionDoesNotExist):
        deferred.refresh_from_db(fields=[NAME], using="elsewhere")


def test_it_is_let_go_of_with_its_last_reference(stateless, phone):
    """It does not wait for the garbage collector, which a busy site would keep busy."""
    gone = weakref.ref(authenticate_token(phone.access)[0])
    assert gone() is None


def test_it_is_no_new_row_of_the_database_that_decides(deferred, user):
    assert not deferred._state.adding
    assert deferred._state.db == user._state.db


class Elsewhere:
    def db_for_write(self, model, **hints):
        return "elsewhere"


def test_a_router_is_asked_for_the_database_that_decides_each_time(settings):
    settings.DATABASE_ROUTERS = [f"{__name__}.Elsewhere"]
    assert deferred_user(1, None)._state.db == "elsewhere"
    settings.DATABASE_ROUTERS = []
    assert deferred_user(1, None)._state.db == "default"


# Where the site looks at instances as they are made, they come loaded.


def own_init(self, *args, **kwargs):
    models.Model.__init__(self, *args, **kwargs)
    self.seen = self.get_username()


@classmethod
def own_from_db(cls, *args, **kwargs):
    made = models.Model.from_db.__func__(cls, *args, **kwargs)
    made.seen = made.get_username()
    return made


def own_refresh(self, *args, **kwargs):
    models.Model.refresh_from_db(self, *args, **kwargs)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("__init__", own_init),
        ("from_db", own_from_db),
        ("from_db", staticmethod(own_from_db.__func__)),
        ("refresh_from_db", own_refresh),
    ],
)
def test_a_model_that_makes_its_instances_itself_is_not_deferred(monkeypatch, name, own):
    monkeypatch.setattr(User, name, own, raising=False)
    assert not can_wait()


def test_a_user_that_is_not_deferred_comes_loaded(
    stateless, phone, monkeypatch, django_assert_num_queries
):
    monkeypatch.setattr(User, "__init__", own_init)
    with django_assert_num_queries(1):
        found, _claims = authenticate_token(phone.access)
        assert found.seen == "alice"
    assert is_loaded(found)


def test_a_user_that_is_not_deferred_is_refused_at_once(stateless, user, phone, monkeypatch):
    monkeypatch.setattr(User, "__init__", own_init)
    delete(rows_of(user))
    assert_refused_header(phone.get("/api/ping/"), "revoked")


@pytest.mark.parametrize("signal", [pre_init, post_init])
@pytest.mark.parametrize("sender", [User, None])
def test_a_model_whose_instances_are_announced_is_not_deferred(signal, sender):
    def hear(**kwargs):
        pass

    signal.connect(hear, sender=sender)
    try:
        assert not can_wait()
    finally:
        signal.disconnect(hear, sender=sender)
    assert can_wait()


def test_what_other_models_announce_changes_nothing():
    def hear(**kwargs):
        pass

    post_init.connect(hear, sender=Group)
    try:
        assert can_wait()
    finally:
        post_init.disconnect(hear, sender=Group)


async def test_in_a_coroutine_nothing_is_deferred():
    """There a query at an attribute's access is an error."""
    assert not can_wait()


def with_devices(queryset):
    return queryset.annotate(devices=models.Count("jwt_revoke_sessions"))


def test_a_user_with_annotations_comes_loaded(stateless, phone, settings):
    """Nothing would tell that one is missing: it is no field."""
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "USER_QUERYSET": f"{__name__}.with_devices"}
    assert authenticate_token(phone.access)[0].devices == 1


class Counting(type(User._default_manager)):
    def get_queryset(self):
        return with_devices(super().get_queryset())


def test_a_user_whose_manager_annotates_comes_loaded(stateless, phone, monkeypatch):
    manager = Counting()
    manager.model, manager.name = User, "counting"
    monkeypatch.setitem(User._meta.__dict__, "default_manager", manager)
    assert authenticate_token(phone.access)[0].devices == 1


def with_state(queryset):
    return queryset.select_related("jwt_revoke_state")


def test_what_the_site_fetches_along_is_there_once_it_is_loaded(
    stateless, phone, user, settings, django_assert_num_queries
):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "USER_QUERYSET": f"{__name__}.with_state"}
    found, _claims = authenticate_token(phone.access)
    with django_assert_num_queries(1):
        found.get_username()
        assert found.jwt_revoke_state.pk == user.pk


def without_last_login(queryset):
    return queryset.defer("last_login")


def test_what_the_site_leaves_out_stays_deferred(
    stateless, phone, settings, django_assert_num_queries
):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "USER_QUERYSET": f"{__name__}.without_last_login"}
    found, _claims = authenticate_token(phone.access)
    found.get_username()
    assert found.get_deferred_fields() == {"last_login"}
    with django_assert_num_queries(1):
        assert found.last_login is None


def raising_late(queryset):
    return queryset.fetch_mode(models.FETCH_RAISE).defer("last_login")


@pytest.mark.skipif(django.VERSION < (6, 1), reason="fetch modes came with Django 6.1")
def test_the_fetch_mode_of_the_site_is_that_of_the_loaded_user(stateless, phone, settings):
    from django.core.exceptions import FieldFetchBlocked

    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "USER_QUERYSET": f"{__name__}.raising_late"}
    found, _claims = authenticate_token(phone.access)
    assert found.get_username() == "alice"
    with pytest.raises(FieldFetchBlocked):
        str(found.last_login)


# A model with foreign keys: what goes for it goes for a user model that has some.


@pytest.fixture
def membership(db):
    member = UUIDMember.objects.create(username="editor")
    return Membership.objects.create(member=member, group=Group.objects.create(name="editors"))


@pytest.fixture
def deferred_membership(membership, monkeypatch):
    monkeypatch.setattr(deferred_module, "user_model", lambda: Membership)
    rows = Membership.objects.select_related("group", "member")
    return deferred_user(membership.pk, lambda: rows.get(pk=membership.pk))


def test_a_relation_that_was_fetched_along_costs_nothing(
    deferred_membership, membership, django_assert_num_queries
):
    with django_assert_num_queries(1):
        assert deferred_membership.since == membership.since
        assert deferred_membership.group == membership.group


@pytest.mark.parametrize("name", ["group", "group_id"])
def test_a_relation_that_was_set_before_is_not_that_which_was_fetched(deferred_membership, name):
    writers = Group.objects.create(name="writers")
    setattr(deferred_membership, name, writers if name == "group" else writers.pk)
    assert deferred_membership.since
    assert deferred_membership.group_id == writers.pk
    assert deferred_membership.group == writers
    assert (deferred_membership.group is writers) == (name == "group")
    assert deferred_membership.member.username == "editor"


def test_two_threads_that_need_it_at_once_both_get_it(user):
    both = threading.Barrier(2, timeout=20)

    def load():
        both.wait()
        return copy.copy(user)

    waiting = deferred_user(user.pk, load)
    assert together(waiting.get_username, waiting.get_username) == ["alice", "alice"]
    assert is_loaded(waiting)


# A view that revokes its own user, and goes on.


class RevokesItself(APIView):
    permission_classes = [IsAuthenticated]

    def post(self, request):
        api.revoke_user(request.user)
        return Response({"name": request.user.get_username()})


class AsyncView(APIView):
    """As async frameworks over REST framework have it: this one is only asked what it is."""

    view_is_async = True


urlpatterns = [path("revokes_itself/", RevokesItself.as_view())]


@pytest.mark.urls(__name__)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("atomic", [True, False])
def test_a_view_that_revokes_its_own_user_may_read_it_afterwards(stateless, phone, user, atomic):
    """Invariant 2: a 401 there would roll the revocation back under ``ATOMIC_REQUESTS``."""
    connection.settings_dict["ATOMIC_REQUESTS"] = atomic
    try:
        answer = phone.post("/revokes_itself/")
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    assert (answer.status_code, answer.json()) == (200, {"name": user.get_username()})
    assert Revocation.objects.get().reason == "revoked"


def test_async_code_asks_for_a_loaded_user(stateless, phone):
    found, _claims = authenticate_token(phone.access, defer=False)
    assert not found.get_deferred_fields()


def test_async_views_have_a_loaded_user(stateless, phone):
    request = AsyncView().initialize_request(
        APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {phone.access}")
    )
    request.parser_context["view"] = AsyncView()
    assert not request.user.get_deferred_fields()
