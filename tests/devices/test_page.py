"""The page and its list: what is shown, to whom, and at what cost."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.devices import listing
from jwt_revoke.models import DeviceSession
from tests.conftest import make_user
from tests.devices.conftest import PAGE
from tests.wire import assert_no_credentials, assert_refused_header

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


def text(response):
    return response.content.decode()


def test_a_session_of_django_s_sees_its_user_s_devices(browser, phone, laptop):
    answer = browser.get(PAGE)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/html")
    assert "<html" in text(answer)
    assert text(answer).count("data-session=") == 2
    for shown in ("phone", "laptop", "127.0.0.1", "Signed in just now", "last used just now"):
        assert shown in text(answer)


def test_none_of_them_is_this_device(browser, phone):
    """Django's session is none of ours."""
    assert "This device" not in text(browser.get(PAGE))
    assert "Log out the others" not in text(browser.get(PAGE))


def test_by_token_its_own_device_comes_first_and_is_marked(phone, laptop):
    page = text(phone.get(PAGE))
    assert page.index("phone") < page.index("This device") < page.index("laptop")
    assert f"{phone.session_id}/end/" not in page
    assert f"{laptop.session_id}/end/" in page
    assert "Log out the others" in page


def test_the_only_device_has_no_others_to_log_out(phone):
    assert "Log out the others" not in text(phone.get(PAGE))


def test_somebody_else_s_devices_are_not_shown(browser, phone, sign_in):
    sign_in(make_user("bob"), "bob’s")
    assert "bob’s" not in text(browser.get(PAGE))


def test_what_has_ended_is_not_shown(browser, phone, laptop, sign_in, user):
    tablet = sign_in(user, "tablet")
    api.end_session(phone.session_id)
    DeviceSession.objects.filter(pk=tablet.session_id).update(expires_at=timezone.now())
    assert text(browser.get(PAGE)).count("data-session=") == 1


def test_nowhere_signed_in_is_said(browser):
    assert "No device is signed in." in text(browser.get(PAGE))


def test_a_device_without_a_name_is_called_so(browser, phone):
    DeviceSession.objects.update(name="")
    assert "Unnamed device" in text(browser.get(PAGE))


def test_what_a_renamed_device_is_stays_visible(browser, sign_in, user):
    sign_in(user, "Lisa", HTTP_USER_AGENT=IPHONE)
    sign_in(user, "", HTTP_USER_AGENT=IPHONE)
    assert text(browser.get(PAGE)).count("<span>Safari, iPhone</span>") == 1


def test_times_are_said_in_words_and_exactly(browser, phone):
    earlier = timezone.now() - timedelta(days=21)
    DeviceSession.objects.update(created_at=earlier)
    page = text(browser.get(PAGE))
    assert "Signed in 3\xa0weeks\xa0ago" in page
    assert f'datetime="{earlier.isoformat()}"' in page


def test_the_place_is_shown_where_it_is_known(browser, phone, monkeypatch):
    monkeypatch.setattr(listing, "place_of", lambda address: f"Lisbon by {address}")
    assert "Lisbon by 127.0.0.1" in text(browser.get(PAGE))


def test_no_more_than_a_page_is_listed_and_that_is_said(browser, user, sign_in, monkeypatch):
    monkeypatch.setattr(listing, "MAX_LISTED", 2)
    for name in ("one", "two"):
        sign_in(user, name)
    assert "Only the last used" not in text(browser.get(PAGE))
    sign_in(user, "three")
    page = text(browser.get(PAGE))
    assert page.count("data-session=") == 2
    assert "Only the last used ones are listed." in page


@pytest.mark.parametrize("method", ["get", "head"])
def test_nobody_is_sent_to_log_in_and_back(db, client, settings, method):
    settings.LOGIN_URL = "/log-in/"
    answer = getattr(client, method)(PAGE + "?x=1")
    assert (answer.status_code, answer["Location"]) == (302, f"/log-in/?next={PAGE}")


def test_whose_django_session_is_over_is_sent_to_the_page_and_not_to_a_form(db, client):
    answer = client.post(f"{PAGE}{uuid4()}/end/")
    assert answer["Location"] == f"/accounts/login/?next={PAGE}"


def test_a_suspended_user_is_sent_to_log_in(browser, user):
    if any(field.name == "is_active" for field in get_user_model()._meta.fields):
        get_user_model().objects.filter(pk=user.pk).update(is_active=False)
        assert browser.get(PAGE).status_code == 302


def test_a_bad_token_is_refused_as_by_the_api(db, client):
    answer = client.get(PAGE, HTTP_AUTHORIZATION="Bearer a.b.c")
    assert_refused_header(answer, "invalid")


def test_a_malformed_header_is_refused_as_by_the_api(db, client):
    assert_refused_header(client.get(PAGE, HTTP_AUTHORIZATION="Bearer"), "invalid")


def test_a_dead_token_is_refused_even_beside_a_session_of_django_s(browser, phone):
    api.end_session(phone.session_id)
    answer = browser.get(PAGE, HTTP_AUTHORIZATION=f"Bearer {phone.access}")
    assert_refused_header(answer, "revoked")


def test_another_scheme_is_none_of_ours(browser, phone):
    """Before a test site there is often a password in the server: ``Basic`` with each request."""
    assert browser.get(PAGE, HTTP_AUTHORIZATION="Basic eA==").status_code == 200


def test_nobody_asking_for_a_fragment_is_not_given_a_log_in_page(db, client):
    assert_no_credentials(client.get(PAGE + "?fragment"))


def test_a_fragment_is_the_list_alone_and_its_forms_ask_likewise(phone, laptop):
    fragment = text(phone.get(PAGE + "?fragment"))
    assert "<html" not in fragment
    assert fragment.count("<form") == fragment.count("/?fragment") == 5


def test_each_form_has_a_csrf_token(browser, phone, laptop):
    page = text(browser.get(PAGE))
    assert page.count("<form") == page.count("csrfmiddlewaretoken") == 5


def test_no_csrf_token_is_made_for_who_brings_a_token(phone, laptop):
    answer = phone.get(PAGE + "?fragment")
    assert "csrfmiddlewaretoken" not in text(answer)
    assert not answer.cookies


def test_whatever_is_accepted_it_is_html(browser, phone):
    for accept in ("text/html", "application/json", "image/png"):
        answer = browser.get(PAGE, headers={"accept": accept})
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith("text/html")


def test_it_is_never_stored(browser, phone):
    for answer in (browser.get(PAGE), phone.get(PAGE + "?fragment"), Client().get(PAGE)):
        assert answer["Cache-Control"] == "no-store"


def test_the_style_sheet_has_the_policy_s_nonce(browser, settings):
    (engine,) = settings.TEMPLATES
    processors = [
        *engine["OPTIONS"]["context_processors"],
        "tests.devices.test_page.nonce",
    ]
    settings.TEMPLATES = [{**engine, "OPTIONS": {"context_processors": processors}}]
    assert 'devices.css" nonce="n0nce">' in text(browser.get(PAGE))


def nonce(request):
    return {"csp_nonce": "n0nce"}


def test_nothing_in_it_is_inline(browser, phone):
    page = text(browser.get(PAGE))
    for inline in ("<script", "<style", "style=", "onclick=", "javascript:"):
        assert inline not in page


def test_it_is_laid_out_from_right_to_left(browser, phone):
    page = text(browser.get(PAGE, headers={"accept-language": "ar"}))
    assert 'lang="en-us"' in page  # without LocaleMiddleware the site's own language
    from django.utils import translation

    with translation.override("ar"):
        assert 'dir="rtl"' in text(browser.get(PAGE))


def statements(client, url):
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200
    return len(captured)


@pytest.mark.parametrize("fragment", ["", "?fragment"])
def test_the_cost_does_not_depend_on_the_number_of_sessions(browser, phone, user, fragment):
    """Invariant 8: Django's session, the user and the list; by token the token and the list."""
    url = PAGE + fragment
    assert (statements(browser, url), statements(phone, url)) == (3, 2)
    row = phone.device_session
    rows = []
    for _ in range(999):
        row.pk = uuid4()
        rows.append(DeviceSession(**{f.attname: getattr(row, f.attname) for f in row._meta.fields}))
    DeviceSession.objects.bulk_create(rows)
    assert (statements(browser, url), statements(phone, url)) == (3, 2)


urlpatterns = [
    path("x/", include(([path("d/", include("jwt_revoke.devices.urls"))], "account"))),
]


@pytest.mark.urls(__name__)
def test_it_may_be_inside_a_namespace_of_the_site_s(browser, phone):
    page = text(browser.get("/x/d/"))
    assert f'action="/x/d/{phone.session_id}/end/"' in page
