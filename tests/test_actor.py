"""Who is named in the log as the one who revoked."""

from __future__ import annotations

import contextvars

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.signals import request_finished, request_started
from django.test import RequestFactory

from jwt_revoke import api
from jwt_revoke.actor import acting, current_actor, forget_actor, set_actor
from jwt_revoke.models import Revocation
from tests.conftest import make_user


@pytest.fixture(autouse=True)
def _nobody():
    forget_actor()
    yield
    forget_actor()


def request_of(who):
    request = RequestFactory().get("/")
    request.user = who
    return request


def newest_actor():
    return Revocation.objects.order_by("pk").last().actor


def test_nobody_acts_where_there_is_no_request():
    assert current_actor() == ""


@pytest.mark.django_db
def test_user_of_a_request_acts_inside_it_only(user):
    with acting(request_of(user)):
        assert current_actor() == str(user.pk)
    assert current_actor() == ""


@pytest.mark.django_db
def test_user_who_signs_in_within_the_request_acts_from_then_on(user):
    request = request_of(AnonymousUser())
    with acting(request):
        assert current_actor() == ""
        request.user = user
        assert current_actor() == str(user.pk)


def test_anonymous_user_is_nobody():
    with acting(request_of(AnonymousUser())):
        assert current_actor() == ""


def test_request_without_a_user_is_nobodys():
    with acting(RequestFactory().get("/")):
        assert current_actor() == ""


@pytest.mark.django_db
def test_actor_is_forgotten_after_an_error(user):
    with pytest.raises(ZeroDivisionError), acting(request_of(user)):
        _ = 1 / 0
    assert current_actor() == ""


@pytest.mark.django_db
def test_inner_request_gives_the_outer_actor_back(user):
    other = make_user("bob")
    with acting(request_of(user)):
        with acting(request_of(other)):
            assert current_actor() == str(other.pk)
        assert current_actor() == str(user.pk)


@pytest.mark.django_db
@pytest.mark.parametrize("signal", [request_started, request_finished])
def test_nobody_is_left_over_for_the_next_request_of_a_thread(user, signal):
    set_actor(user)
    signal.send(sender=None, environ={})
    assert current_actor() == ""


@pytest.mark.django_db
def test_actor_does_not_reach_another_context(user):
    elsewhere = contextvars.copy_context()
    set_actor(user)
    assert elsewhere.run(current_actor) == ""


@pytest.mark.django_db
def test_rest_framework_names_the_user_of_the_token(user, phone):
    phone.post("/api/auth/logout/all/")
    assert newest_actor() == str(user.pk)


@pytest.mark.django_db
def test_save_after_a_request_names_nobody(user, phone):
    assert phone.get("/api/ping/").status_code == 200
    user.is_active = False
    user.save()
    assert newest_actor() == ""


@pytest.mark.django_db
def test_anonymous_request_after_a_signed_in_one_names_nobody(user, phone, laptop, anonymous):
    assert phone.get("/api/ping/").status_code == 200
    anonymous.post("/api/auth/logout/", {"refresh": laptop.refresh_token})
    assert newest_actor() == ""


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["object", "key", "text"])
def test_actor_is_given_as_an_object_or_a_key(user, given):
    boss = make_user("boss")
    actor = {"object": boss, "key": boss.pk, "text": str(boss.pk)}[given]
    api.revoke_user(user, actor=actor)
    assert newest_actor() == str(boss.pk)


@pytest.mark.django_db
def test_actor_that_is_given_goes_before_the_one_of_the_request(user):
    boss = make_user("boss")
    set_actor(user)
    api.revoke_user(user, actor=boss)
    assert newest_actor() == str(boss.pk)


@pytest.mark.django_db
def test_anonymous_actor_is_nobody(user):
    """``actor=request.user`` in a view that anybody may call."""
    api.revoke_user(user, actor=AnonymousUser())
    assert newest_actor() == ""


@pytest.mark.django_db
def test_empty_actor_is_nobody_even_in_a_request(user):
    set_actor(user)
    api.revoke_user(user, actor="")
    assert newest_actor() == ""


@pytest.mark.django_db
def test_naming_costs_nothing_until_something_is_revoked(user, django_assert_num_queries):
    class Unread:
        @property
        def user(self):
            raise AssertionError("request.user was read")

    with acting(Unread()), django_assert_num_queries(0):
        pass
