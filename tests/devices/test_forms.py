"""What the page's forms do."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from rest_framework.response import Response

from jwt_revoke import api
from jwt_revoke.devices import views
from jwt_revoke.exceptions import Unavailable
from jwt_revoke.models import Revocation
from tests.conftest import make_user
from tests.devices.conftest import PAGE, url_of
from tests.wire import assert_refused_header

FRAGMENT = "?fragment"


def said(response):
    """The page that a form led to, whose messages say what happened."""
    assert response.redirect_chain == [(PAGE, 302)]
    return response.content.decode()


def test_a_device_is_renamed(submit, phone):
    page = said(submit(url_of(phone, "rename"), {"name": "  Kitchen  "}, follow=True))
    assert "Renamed to Kitchen." in page
    assert phone.device_session.name == "Kitchen"


def test_a_device_is_ended(submit, phone, laptop):
    page = said(submit(url_of(phone, "end"), follow=True))
    assert "“phone” is logged out." in page
    assert (phone.standing, laptop.standing) == ("revoked", "live")


def test_everything_is_ended(submit, phone, laptop):
    page = said(submit(PAGE + "log-out-everywhere/", follow=True))
    assert "You are logged out on every device." in page
    assert (phone.standing, laptop.standing) == ("revoked", "revoked")


def test_django_s_own_session_is_none_of_them(submit, browser, phone):
    assert "This browser stays signed in" in browser.get(PAGE).content.decode()
    submit(PAGE + "log-out-everywhere/")
    assert browser.get(PAGE).status_code == 200


def test_nobody_else_is_logged_out(submit, phone, sign_in):
    other = sign_in(make_user("bob"))
    submit(PAGE + "log-out-everywhere/")
    assert other.standing == "live"


def test_django_s_session_has_no_others(submit, phone):
    assert submit(PAGE + "log-out-others/").status_code == 404
    assert phone.standing == "live"


def test_a_token_ends_every_other_device_as_one_batch(phone, laptop, sign_in, user):
    tablet, other = sign_in(user, "tablet"), sign_in(make_user("bob"))
    answer = phone.post(PAGE + "log-out-others/" + FRAGMENT, format="multipart")
    assert answer.status_code == 200
    assert "2 other devices are logged out." in answer.content.decode()
    standings = [device.standing for device in (phone, laptop, tablet, other)]
    assert standings == ["live", "revoked", "revoked", "live"]
    entries = Revocation.objects.all()
    assert len({entry.batch for entry in entries}) == 1
    assert {(entry.reason, entry.actor) for entry in entries} == {("logout_all", str(user.pk))}


def test_a_fragment_answers_with_the_list_as_it_is_then(phone, laptop):
    url = url_of(laptop, "end") + FRAGMENT
    answer = phone.post(url, format="multipart")
    assert answer.status_code == 200
    assert "<html" not in answer.content.decode()
    assert str(laptop.session_id) not in answer.content.decode()
    assert "“laptop” is logged out." in answer.content.decode()


def test_who_ended_the_session_that_asks_has_no_list_any_more(phone):
    answer = phone.post(url_of(phone, "end") + FRAGMENT, format="multipart")
    assert (answer.status_code, answer.content) == (204, b"")
    assert phone.standing == "revoked"


def test_who_logged_out_everywhere_by_token_finds_themselves_signed_out(phone):
    url = PAGE + "log-out-everywhere/" + FRAGMENT
    answer = phone.post(url, format="multipart")
    assert (answer.status_code, answer.content) == (204, b"")
    assert_refused_header(phone.get(PAGE + FRAGMENT), "revoked")


@pytest.mark.parametrize("what", ["end", "everywhere"])
def test_the_log_says_who_and_why(submit, phone, user, what):
    if what == "end":
        submit(url_of(phone, "end"))
    else:
        submit(PAGE + "log-out-everywhere/")
    entry = Revocation.objects.get()
    reason = {"end": "logout", "everywhere": "logout_all"}[what]
    assert (entry.reason, entry.actor) == (reason, str(user.pk))


def test_a_double_click_ends_it_once_and_is_no_error(submit, phone):
    submit(url_of(phone, "end"))
    page = said(submit(url_of(phone, "end"), follow=True))
    assert "“phone” is logged out." in page
    assert Revocation.objects.count() == 1


def test_what_has_ended_is_not_renamed(submit, phone):
    api.end_session(phone.session_id)
    assert submit(url_of(phone, "rename"), {"name": "x"}).status_code == 404


def test_what_goes_while_it_is_renamed_is_404(submit, phone, monkeypatch):
    monkeypatch.setattr(views.sessions, "rename_session", lambda *_args: False)
    assert submit(url_of(phone, "rename"), {"name": "x"}).status_code == 404


@pytest.mark.parametrize("name", ["", "   ", "\u202e\x00\n", "x" * 101])
def test_a_name_that_will_not_do_is_said_beside_it(submit, phone, name):
    answer = submit(url_of(phone, "rename"), {"name": name})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert phone.device_session.name == "phone"
    assert '<details class="jwt-revoke-rename" open>' in page
    assert f'aria-describedby="jwt-revoke-error-{phone.session_id}"' in page
    assert page.count("aria-invalid") == 1


def test_a_name_that_will_not_do_is_said_in_the_fragment(phone):
    url = url_of(phone, "rename") + FRAGMENT
    answer = phone.post(url, {"name": ""}, format="multipart")
    assert answer.status_code == 400
    assert "<html" not in answer.content.decode()
    assert "This field is required." in answer.content.decode()


@pytest.mark.parametrize("name", ["Küche 電話", "می‌خواهم", "👩‍💻"])
def test_a_name_of_any_script_is_kept(submit, phone, name):
    submit(url_of(phone, "rename"), {"name": name})
    assert phone.device_session.name == name


def test_what_nobody_sees_is_left_out_of_a_name(submit, phone):
    submit(url_of(phone, "rename"), {"name": "a\x00b\u202ec\nd"})
    assert phone.device_session.name == "abcd"


def test_without_messages_it_works_and_says_nothing(submit, phone, settings):
    kept = [name for name in settings.MIDDLEWARE if "messages" not in name]
    settings.MIDDLEWARE = kept
    assert submit(url_of(phone, "end")).status_code == 302
    assert phone.standing == "revoked"


@pytest.mark.django_db(transaction=True)
def test_within_atomic_requests_it_commits(transactional_db, submit, phone, monkeypatch):
    """Invariant 2."""
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    assert submit(url_of(phone, "end")).status_code == 302
    assert phone.standing == "revoked"


def test_what_could_not_be_made_effective_is_503_on_a_page(submit, phone, monkeypatch):
    """Invariant 4."""

    def fail(*_args, **_options):
        raise Unavailable

    monkeypatch.setattr(views.api, "end_session", fail)
    answer = submit(url_of(phone, "end"))
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "Temporarily unavailable. Try again." in answer.content.decode()


def test_a_database_that_is_away_is_503_on_a_page(browser, settings, monkeypatch):
    """The page that says so asks it nothing: neither Django's session nor the messages."""
    settings.MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
    from django.contrib.sessions.backends.db import SessionStore

    def away(*_args):
        raise OperationalError("could not connect")

    monkeypatch.setattr(SessionStore, "load", away)
    answer = browser.get(PAGE)
    assert answer.status_code == 503
    assert "<h1>" in answer.content.decode()


def test_a_page_that_says_so_may_read_the_user_in_the_site_s_own_frame(
    browser, settings, monkeypatch, tmp_path
):
    """Invariant 4: what it reads must not ask the database that is away once more."""
    frame = tmp_path / "jwt_revoke" / "devices" / "base.html"
    frame.parent.mkdir(parents=True)
    frame.write_text("{% if user.is_authenticated %}x{% endif %}{% block content %}{% endblock %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    from django.contrib.sessions.backends.db import SessionStore

    def away(*_args):
        raise OperationalError("could not connect")

    monkeypatch.setattr(SessionStore, "load", away)
    assert browser.get(PAGE).status_code == 503


def test_a_site_s_own_exception_handler_is_no_error_here(browser, submit, settings):
    settings.REST_FRAMEWORK = {
        **settings.REST_FRAMEWORK,
        "EXCEPTION_HANDLER": "tests.devices.test_forms.handle",
    }
    assert submit(f"{PAGE}{uuid4()}/end/").status_code == 404


def handle(error, context):
    """As some packages do: a list, without ``detail``."""
    return Response([{"code": "not_found"}], status=404)


def test_a_body_that_cannot_be_read_is_refused_before_anything_is_done(phone, laptop):
    """Invariant 2: no refusal after a write."""
    for url in [url_of(laptop, "end"), PAGE + "log-out-others/", PAGE + "log-out-everywhere/"]:
        assert phone.post(url, {"next": "/"}, format="json").status_code == 415
    assert (phone.standing, laptop.standing) == ("live", "live")


@pytest.mark.parametrize("name", ["\u200d\u200c", " \u200d "])
def test_a_name_that_nobody_could_see_is_none(submit, phone, name):
    assert submit(url_of(phone, "rename"), {"name": name}).status_code == 400


def test_a_refused_fragment_is_refused_as_by_the_api(phone):
    answer = phone.post(f"{PAGE}{uuid4()}/end/{FRAGMENT}", format="multipart")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")


def test_a_refused_form_leads_back_to_the_page(submit):
    answer = submit(f"{PAGE}{uuid4()}/end/")
    assert answer.status_code == 404
    assert f'href="{PAGE}"' in answer.content.decode()
