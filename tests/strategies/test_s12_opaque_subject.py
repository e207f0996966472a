"""s12: ``sub`` is an opaque id, which can be renewed for one user after a compromise."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import path
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

from jwt_revoke import api
from jwt_revoke.models import Revocation, UserTokenState
from tests.conftest import make_user
from tests.strategies.over_http import AUTH, Phone, log
from tests.urls import urlpatterns as site

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]


class Compromised(APIView):
    """Renews whoever asks, and needs a field of theirs afterwards."""

    permission_classes = [IsAuthenticated]

    def post(self, request):
        with transaction.atomic():
            api.renew_subject(request.user)
            return Response({"username": request.user.get_username()})


urlpatterns = [*site, path("compromised/", Compromised.as_view())]


@pytest.fixture(params=["database", "replica"])
def backend(request):
    return request.param


@pytest.fixture(autouse=True)
def choose(request, backend, user, settings):
    """``choose(subject)`` sets ``SUBJECT``, which is "opaque" to begin with."""

    def choose(subject):
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SUBJECT": subject}
        if backend == "replica":
            request.getfixturevalue("replica")()

    choose("opaque")
    return choose


def id_of(phone):
    return UUID(phone.claims["sub"])


def cost(call, *arguments):
    """How many statements it sends."""
    with CaptureQueriesContext(connection) as captured:
        call(*arguments)
    return len(captured)


def test_token_says_an_id_that_tells_nothing_of_the_user(user):
    phone = Phone()
    assert id_of(phone) == UserTokenState.objects.get().subject
    assert str(user.pk) not in phone.claims.values()
    assert phone.get("/api/me/").data == {"id": str(user.pk), "username": "alice"}


def test_id_stays_the_same_on_every_device_and_after_a_refresh():
    phone, laptop = Phone(), Phone(device="laptop")
    before = id_of(phone)
    assert phone.may_renew()
    assert id_of(phone) == id_of(laptop) == before


def test_renewing_it_kills_every_token_of_the_user(user):
    devices = [Phone(), Phone(device="laptop"), Phone(device="tablet")]
    assert devices[0].standing() == "live"
    api.renew_subject(user)
    assert [device.standing() for device in devices] == ["revoked"] * 3
    assert not any(device.may_renew() for device in devices)
    assert log() == [("user", "subject_renewed", "session")]


def test_other_users_notice_nothing(user):
    make_user("bob")
    phone, other = Phone(), Phone("bob")
    api.renew_subject(user)
    assert (phone.standing(), other.standing()) == ("revoked", "live")


def test_new_sign_in_has_another_id_and_lives(user):
    phone = Phone()
    before = id_of(phone)
    api.renew_subject(user)
    phone.sign_in()
    assert id_of(phone) == UserTokenState.objects.get().subject != before
    assert phone.standing() == "live"


def test_effect_access_lets_every_device_go_on_under_the_new_id(user):
    """Also one whose token was never seen before it was renewed."""
    phone, laptop = Phone(), Phone(device="laptop")
    before = id_of(phone)
    assert phone.standing() == "live"
    api.renew_subject(user, effect="access")
    for device in (phone, laptop):
        assert device.standing() == "stale"
        assert device.may_renew()
        assert device.standing() == "live"
    assert id_of(phone) == id_of(laptop) != before


def test_log_out_everywhere_is_not_said_to_be_done_to_who_has_to_refresh(user):
    phone, laptop = Phone(), Phone(device="laptop")
    api.renew_subject(user, effect="access")
    assert phone.post(AUTH + "logout/all/").status_code == 401
    assert phone.may_renew()
    assert phone.post(AUTH + "logout/all/").status_code == 204
    assert not laptop.may_renew()


def test_old_token_still_logs_its_device_out(user):
    phone, laptop = Phone(), Phone(device="laptop")
    api.renew_subject(user, effect="access")
    assert phone.post(AUTH + "logout/").status_code == 204
    assert not phone.may_renew()
    assert laptop.may_renew()


def test_renewal_that_is_rolled_back_changes_nothing(user):
    """Invariant 2."""
    phone = Phone()
    before = id_of(phone)
    assert phone.standing() == "live"
    with transaction.atomic():
        api.renew_subject(user)
        transaction.set_rollback(True)
    assert phone.standing() == "live"
    assert phone.may_renew()
    assert id_of(phone) == before


def test_view_that_renews_its_own_user_goes_on_with_them(user):
    """Invariant 2: a 401 for the old id would roll the renewal back."""
    phone = Phone()
    answer = phone.post("/compromised/")
    assert (answer.status_code, answer.data) == (200, {"username": "alice"})
    assert phone.standing() == "revoked"


@pytest.mark.parametrize(("before", "after"), [("pk", "opaque"), ("opaque", "pk")])
def test_setting_is_changed_on_a_running_site(user, choose, before, after):
    """Tokens that are out refresh silently, to the other kind."""
    choose(before)
    phone, laptop, tablet = Phone(), Phone(device="laptop"), Phone(device="tablet")
    assert phone.standing() == "live"
    old = phone.claims["sub"]
    assert tablet.post(AUTH + "logout/").status_code == 204
    choose(after)
    assert (phone.standing(), tablet.standing()) == ("stale", "revoked")
    for device in (phone, laptop):
        assert device.may_renew()
        assert device.standing() == "live"
    assert phone.claims["sub"] == laptop.claims["sub"] != old
    assert not tablet.may_renew()


def test_account_made_anew_under_the_key_of_one_deleted_unseen_has_another_id(user):
    """Invariant 6: whoever knows the former by it must not take the latter for them."""
    phone = Phone()
    model, key = get_user_model(), user.pk
    model._base_manager.filter(pk=key)._raw_delete("default")
    make_user("mallory", pk=key)
    mallory = Phone("mallory")
    assert id_of(mallory) != id_of(phone)
    assert (phone.standing(), mallory.standing()) == ("revoked", "live")


def test_log_names_the_user_by_their_key(user):
    phone, laptop = Phone(), Phone(device="laptop")
    assert phone.post(AUTH + "logout/").status_code == 204
    assert laptop.post(AUTH + "logout/all/").status_code == 204
    entries = Revocation.objects.filter(scope="user").values_list("subject", "actor")
    assert list(entries) == [(str(user.pk), str(user.pk))]
    assert {entry.actor for entry in Revocation.objects.all()} == {str(user.pk)}


@pytest.mark.parametrize("backend", ["replica"], indirect=True)
def test_another_process_that_knows_the_old_id_refuses_it_too(user, neighbour):
    """Invariant 1: in any process, once the call has returned; one that never saw it as well."""
    phone, laptop, other = Phone(), Phone(device="laptop"), neighbour()
    assert other.standing(phone.access) == "live"
    api.renew_subject(user, effect="access")
    assert [other.standing(device.access) for device in (phone, laptop)] == ["stale"] * 2
    assert phone.may_renew()
    assert other.standing(phone.access) == "live"
    assert other.fallbacks == 0


@pytest.mark.parametrize("call", ["sign_in", "renew", "standing"])
def test_nothing_costs_more_than_by_the_key(choose, call):
    """But for the first sight of an id in a process, where it is looked up."""
    costs = []
    for subject in ("pk", "opaque"):
        choose(subject)
        phone = Phone()
        assert phone.standing() == "live"
        costs.append(cost(getattr(phone, call)))
    assert costs[0] == costs[1]


@pytest.mark.parametrize("backend", ["database"], indirect=True)
def test_log_out_looks_its_actor_up_the_first_time():
    phone, laptop = Phone(), Phone(device="laptop")
    first, second = (cost(device.post, AUTH + "logout/") for device in (phone, laptop))
    assert first == second + 1
