"""The page in the hands of somebody who means no good."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from jwt_revoke.devices.urls import urlpatterns
from jwt_revoke.models import DeviceSession, Revocation
from tests.conftest import make_user
from tests.devices.conftest import PAGE, url_of

pytestmark = pytest.mark.once

SCRIPT = "<script>alert(1)</script>"


def forms(device):
    """Every address that does something."""
    return [
        url_of(device, "end"),
        url_of(device, "rename"),
        PAGE + "log-out-others/",
        PAGE + "log-out-everywhere/",
    ]


def test_this_page_knows_every_address(phone):
    names = [pattern.name for pattern in urlpatterns if pattern.name != "page"]
    assert len(names) == len(forms(phone))
    assert reverse("jwt_revoke_devices:page") == PAGE


def test_a_form_on_another_site_does_nothing(browser, phone):
    """CSRF: the cookie goes along, its token does not."""
    for url in forms(phone):
        for query in ("", "?fragment"):
            answer = browser.post(url + query, {"name": "x"})
            assert answer.status_code == 403, url
    assert phone.standing == "live"
    assert phone.device_session.name == "phone"


def test_a_token_of_csrf_s_that_was_made_up_does_nothing(browser, phone):
    browser.get(PAGE)
    forged = {"csrfmiddlewaretoken": "x" * 64}
    assert browser.post(url_of(phone, "end"), forged).status_code == 403
    assert phone.standing == "live"


def test_who_brings_an_access_token_needs_no_other(phone, laptop):
    client = Client(enforce_csrf_checks=True)
    header = f"Bearer {phone.access}"
    answer = client.post(url_of(laptop, "end"), HTTP_AUTHORIZATION=header)
    assert answer.status_code == 302
    assert laptop.standing == "revoked"


def test_a_cookie_does_not_help_a_header_of_a_dead_token(browser, phone, laptop):
    phone.post("/api/auth/logout/")
    answer = browser.post(url_of(laptop, "end"), HTTP_AUTHORIZATION=f"Bearer {phone.access}")
    assert answer.status_code == 401
    assert laptop.standing == "live"


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "delete", "patch"])
def test_nothing_but_a_post_does_anything(browser, phone, method):
    for url in forms(phone):
        for client in (browser, phone):
            assert getattr(client, method)(url).status_code in {403, 405}
    assert phone.standing == "live"
    assert not Revocation.objects.exists()


@pytest.mark.parametrize("what", ["end", "rename"])
def test_somebody_else_s_device_is_as_one_that_never_was(submit, sign_in, what):
    other = sign_in(make_user("bob"), "bob’s")
    theirs = submit(url_of(other, what), {"name": "mine"})
    nobodys = submit(f"{PAGE}{uuid4()}/{what}/", {"name": "mine"})
    assert (theirs.status_code, theirs.content) == (404, nobodys.content)
    assert (other.standing, other.device_session.name) == ("live", "bob’s")


@pytest.mark.parametrize("junk", ["junk", "%00", "1", "..", "’", "x" * 3000])
def test_what_is_no_id_is_404(browser, junk):
    assert browser.post(f"{PAGE}{junk}/end/").status_code == 404


def test_a_name_is_text_and_never_html(browser, submit, phone):
    page = submit(url_of(phone, "rename"), {"name": SCRIPT}, follow=True).content.decode()
    assert phone.device_session.name == SCRIPT
    for shown in (page, phone.get(PAGE + "?fragment").content.decode()):
        assert "<script" not in shown
        assert "&lt;script&gt;" in shown


def test_a_user_agent_is_text_and_never_html(browser, user, sign_in, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "DEVICE_NAMER": f"{__name__}.as_it_stands"}
    sign_in(user, "named", HTTP_USER_AGENT=SCRIPT)
    page = browser.get(PAGE).content.decode()
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def as_it_stands(user_agent):
    return user_agent


def test_a_name_does_not_break_out_of_its_attribute(browser, phone):
    DeviceSession.objects.update(name='" autofocus onfocus="x')
    page = browser.get(PAGE).content.decode()
    assert 'onfocus="' not in page


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/",
        "\\\\evil.example/",
        "/\\evil.example/",
        "///evil.example",
        "javascript:alert(1)",
        "https:///evil.example",
        " //evil.example",
        "\x00//evil.example",
        "http://testserver@evil.example/",
        "/" + "x" * 2000,
    ],
)
def test_a_form_leads_nowhere_else(submit, phone, elsewhere):
    answer = submit(url_of(phone, "end"), {"next": elsewhere})
    assert (answer.status_code, answer["Location"]) == (302, PAGE)


def test_over_https_a_form_does_not_lead_to_http(submit, phone):
    answer = submit(
        url_of(phone, "end"),
        {"next": "http://testserver/account/"},
        secure=True,
        headers={"referer": "https://testserver/"},
    )
    assert (answer.status_code, answer["Location"]) == (302, PAGE)


def test_a_line_in_an_address_is_no_header(submit, phone):
    answer = submit(url_of(phone, "end"), {"next": "/x\r\nSet-Cookie: a=b"})
    assert answer.status_code == 302
    assert "a" not in answer.cookies


def test_a_file_where_an_address_belongs_is_no_error(submit, phone, tmp_path):
    made_up = tmp_path / "x"
    made_up.write_text("/")
    with made_up.open("rb") as file:
        answer = submit(url_of(phone, "end"), {"next": file})
    assert (answer.status_code, answer["Location"]) == (302, PAGE)


def test_an_address_in_the_query_leads_nowhere(submit, phone):
    answer = submit(url_of(phone, "end") + "?next=/x/")
    assert answer["Location"] == PAGE


def test_ten_thousand_characters_are_no_name(submit, phone):
    assert submit(url_of(phone, "rename"), {"name": "x" * 10_000}).status_code == 400
    assert phone.device_session.name == "phone"


@pytest.mark.parametrize("is_signed_in", [True, False])
def test_a_body_of_a_megabyte_is_not_read(browser, client, phone, is_signed_in):
    """Nor does its answer trip over what was not judged yet: no CSRF token came along."""
    who = browser if is_signed_in else client
    answer = who.post(url_of(phone, "rename"), {"name": "x" * 1_000_000})
    assert answer.status_code == 413
    assert "Request body too large" in answer.content.decode()


def test_json_is_no_form(phone):
    answer = phone.post(url_of(phone, "rename"), {"name": "x"}, format="json")
    assert answer.status_code == 415


def test_whether_it_may_be_framed_is_the_site_s_to_say(browser, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    assert browser.get(PAGE)["X-Frame-Options"] == "DENY"


def test_no_token_is_on_the_page(phone, laptop):
    page = phone.get(PAGE).content.decode()
    for secret in (phone.access, phone.refresh_token, laptop.access, laptop.refresh_token):
        assert secret not in page
        assert secret.rpartition(".")[2] not in page


def test_a_site_s_throttle_counts_here_too(phone, monkeypatch):
    from rest_framework.throttling import UserRateThrottle

    from jwt_revoke.devices.views import DevicesView

    class Once(UserRateThrottle):
        scope = "test_devices"
        rate = "1/day"

    monkeypatch.setattr(DevicesView, "throttle_classes", [Once])
    assert phone.get(PAGE).status_code == 200
    answer = phone.get(PAGE)
    assert answer.status_code == 429
    assert int(answer["Retry-After"])
