from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory
from django.urls import path

from jwt_revoke import api
from jwt_revoke.middleware import ActorMiddleware
from jwt_revoke.models import Revocation
from jwt_revoke.testing import Device
from tests.conftest import make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


def account(name):
    return get_user_model()._default_manager.filter(**{get_user_model().USERNAME_FIELD: name})


def suspend(request, name):
    """A view of the site's own, which knows nothing of revocations."""
    victim = account(name).get()
    victim.is_active = False
    victim.save()
    return HttpResponse()


async def alog_out(request, name):
    await api.arevoke_user(await account(name).aget())
    return HttpResponse()


urlpatterns = [path("suspend/<name>/", suspend), path("alog_out/<name>/", alog_out)]


@pytest.fixture
def boss(settings):
    """Somebody signed in by Django's session, on a site with our middleware."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "jwt_revoke.middleware.ActorMiddleware"]
    return make_user("boss")


@pytest.fixture
def alice():
    user = make_user("alice")
    Device(user)
    return user


def newest_actor():
    return Revocation.objects.order_by("pk").last().actor


def test_user_of_the_session_is_named_in_the_log(boss, alice):
    client = Client()
    client.force_login(boss)
    client.get("/suspend/alice/")
    assert newest_actor() == str(boss.pk)


def test_nobody_is_left_over_in_the_next_request_of_the_thread(boss, alice):
    client = Client()
    client.force_login(boss)
    client.get("/suspend/alice/")
    assert newest_actor() == str(boss.pk)
    Device(boss)
    Client().get("/suspend/boss/")
    assert newest_actor() == ""


def test_without_the_middleware_nobody_is_named(alice, settings):
    client = Client()
    client.force_login(make_user("boss"))
    client.get("/suspend/alice/")
    assert newest_actor() == ""


def test_async_view_names_the_user_of_the_session(boss, alice):
    client = AsyncClient()
    client.force_login(boss)
    assert async_to_sync(client.get)("/alog_out/alice/").status_code == 200
    assert newest_actor() == str(boss.pk)


def test_async_request_leaves_nobody_over_for_the_next(boss, alice):
    client = AsyncClient()
    client.force_login(boss)
    async_to_sync(client.get)("/alog_out/alice/")
    async_to_sync(AsyncClient().get)("/alog_out/alice/")
    assert newest_actor() == ""


def test_async_stack_gets_a_coroutine_function():
    async def answer(request):
        return HttpResponse(status=204)

    middleware = ActorMiddleware(answer)
    assert iscoroutinefunction(middleware)
    assert async_to_sync(middleware)(RequestFactory().get("/")).status_code == 204


def test_sync_stack_gets_none():
    middleware = ActorMiddleware(lambda request: HttpResponse(status=204))
    assert not iscoroutinefunction(middleware)
    assert middleware(RequestFactory().get("/")).status_code == 204


def test_request_that_revokes_nothing_pays_nothing(boss, django_assert_num_queries):
    """``request.user`` is not loaded for a name that nobody needs."""
    client = Client()
    client.force_login(boss)
    with django_assert_num_queries(0):
        client.get("/nowhere/")
