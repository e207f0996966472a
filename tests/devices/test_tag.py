"""``{% jwt_revoke_devices %}`` in a page of the site's own."""

from __future__ import annotations

import pytest
from django.http import HttpResponse
from django.template import engines
from django.test import Client
from django.urls import include, path

from tests.devices.conftest import PAGE, url_of

pytestmark = [pytest.mark.once, pytest.mark.urls(__name__)]

SOURCE = "{% load jwt_revoke_devices %}<h2>Devices</h2>{% jwt_revoke_devices %}"


def account(request):
    """As a site would write it."""
    return HttpResponse(engines["django"].from_string(SOURCE).render({}, request))


def elsewhere(request):
    source = '{% load jwt_revoke_devices %}{% jwt_revoke_devices "account:jwt_revoke_devices" %}'
    return HttpResponse(engines["django"].from_string(source).render({}, request))


urlpatterns = [
    path("account/", account),
    path("elsewhere/", elsewhere),
    path("account/devices/", include("jwt_revoke.devices.urls")),
    path("x/", include(([path("d/", include("jwt_revoke.devices.urls"))], "account"))),
]


def test_the_devices_are_in_the_page(browser, phone):
    page = browser.get("/account/").content.decode()
    assert page.startswith("<h2>")
    assert "phone" in page
    assert "<html" not in page
    assert f'action="{PAGE}{phone.session_id}/end/"' in page


def test_its_forms_work_and_lead_back_to_the_page(browser, phone):
    page = browser.get("/account/?tab=devices").content.decode()
    assert '<input type="hidden" name="next" value="/account/?tab=devices">' in page
    token = browser.cookies["csrftoken"].value
    data = {"csrfmiddlewaretoken": token, "next": "/account/?tab=devices"}
    answer = browser.post(url_of(phone, "end"), data)
    assert (answer.status_code, answer["Location"]) == (302, "/account/?tab=devices")
    assert phone.standing == "revoked"


def test_after_a_mistake_the_way_back_is_kept(browser, phone):
    browser.get("/account/")
    token = browser.cookies["csrftoken"].value
    data = {"csrfmiddlewaretoken": token, "next": "/account/", "name": ""}
    answer = browser.post(url_of(phone, "rename"), data)
    assert answer.status_code == 400
    assert 'name="next" value="/account/"' in answer.content.decode()


def test_it_finds_the_page_inside_a_namespace_of_the_site_s(browser, phone):
    page = browser.get("/elsewhere/").content.decode()
    assert f'action="/x/d/{phone.session_id}/end/"' in page


def test_nobody_has_no_devices(phone):
    page = Client().get("/account/").content.decode()
    assert "No device is signed in." in page
