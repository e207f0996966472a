"""One session of a user ended by an administrator: a page that asks why, and a POST."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.test import Client
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.testing import Device
from tests.admin.conftest import (
    CHANGE_USERS,
    LOG_OUT,
    VIEW_USERS,
    broken_database,
    browser_of,
    change_page,
    list_page,
    messages_of,
)
from tests.conftest import make_user
from tests.geoip import LISBON, write_cities

pytestmark = pytest.mark.once

END = "jwt_revoke.end_devicesession"
SEE_SESSIONS = "jwt_revoke.view_devicesession"
WHY = {"reason": "device_lost", "note": "Left in a taxi"}


def end_page(user: Any, device: Any, site: str = "admin", model: str = "member") -> str:
    """The page for a device's session, or for a session's id."""
    session = getattr(device, "session_id", device)
    return f"/{site}/accounts/{model}/{user.pk}/sessions/{session}/end/"


# --- the page that asks


def test_the_page_says_what_will_end(admin: Client, user: Any) -> None:
    phone = Device(user, "phone", REMOTE_ADDR="192.0.2.7")
    used = timezone.now() - timedelta(hours=2)
    DeviceSession.objects.filter(pk=phone.session_id).update(last_used_at=used)

    page = admin.get(end_page(user, phone)).content.decode()

    assert "This session of “alice” will end." in page
    for word in ("phone", "192.0.2.7", "2\xa0hours\xa0ago"):
        assert word in page
    assert "Place" not in page


def test_the_page_says_where_it_is(admin: Client, user: Any, settings: Any, tmp_path: Path) -> None:
    settings.GEOIP_PATH = write_cities(tmp_path)
    phone = Device(user, "phone", REMOTE_ADDR=LISBON)

    assert "<dd>Lisbon, Portugal</dd>" in admin.get(end_page(user, phone)).content.decode()


def test_the_page_offers_the_reasons_that_one_session_may_have(
    admin: Client, user: Any, phone: Device
) -> None:
    form = admin.get(end_page(user, phone)).context["fieldset"].form

    offered = [value for value, _text in form.fields["reason"].choices]
    assert offered[0] == "ended_by_admin"
    assert "device_lost" in offered
    assert "logout_all" not in offered


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "delete"])
def test_nothing_but_a_post_acts(admin: Client, user: Any, phone: Device, method: str) -> None:
    getattr(admin, method)(end_page(user, phone))

    assert phone.standing == "live"


def test_the_page_leads_back_and_to_the_list(admin: Client, user: Any, phone: Device) -> None:
    page = admin.get(end_page(user, phone)).content.decode()

    assert f'href="{change_page(user)}"' in page
    assert f'<a href="{list_page()}">' in page


def test_names_are_escaped(admin: Client) -> None:
    person = make_user("<b>eve</b>")
    device = Device(person, "<script>alert(1)</script>")

    page = admin.get(end_page(person, device)).content.decode()
    page += admin.post(end_page(person, device), WHY, follow=True).content.decode()

    assert "&lt;script&gt;alert(1)" in page
    assert "<b>eve" not in page
    assert "<script>alert" not in page


# --- doing it


def test_a_post_ends_that_session_and_no_other(
    admin: Client, user: Any, phone: Device, laptop: Device
) -> None:
    admin.post(end_page(user, phone), WHY)

    assert [phone.standing, laptop.standing] == ["revoked", "live"]


def test_the_log_says_who_and_why(admin: Client, boss: Any, user: Any, phone: Device) -> None:
    admin.post(end_page(user, phone), WHY)

    entry = Revocation.objects.get()
    assert (entry.scope, entry.subject) == ("session", str(phone.session_id))
    assert (entry.reason, entry.note, entry.actor) == (*WHY.values(), str(boss.pk))


def test_the_user_s_history_has_it(admin: Client, boss: Any, user: Any, phone: Device) -> None:
    admin.post(end_page(user, phone), WHY)

    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.action_flag) == (boss, str(user.pk), CHANGE)
    assert entry.get_change_message() == "Ended a session."


def test_a_message_says_so_on_the_user_s_page(admin: Client, user: Any, phone: Device) -> None:
    response = admin.post(end_page(user, phone), WHY, follow=True)

    assert response.redirect_chain == [(change_page(user), 302)]
    assert messages_of(response) == ["The session on “phone” is ended."]


@pytest.mark.parametrize("site", ["second", "own-template"])
def test_on_another_site_one_returns_to_it(
    admin: Client, user: Any, phone: Device, site: str
) -> None:
    response = admin.post(end_page(user, phone, site), WHY)

    assert response.headers["Location"] == change_page(user, site)
    assert phone.standing == "revoked"


def test_an_admin_without_a_named_change_page_leads_to_the_index(
    admin: Client, user: Any, phone: Device
) -> None:
    response = admin.post(end_page(user, phone, "own-urls"), WHY)

    assert response.headers["Location"] == "/own-urls/"


def test_the_admin_of_a_proxy_works_as_well(admin: Client, user: Any, phone: Device) -> None:
    admin.post(end_page(user, phone, "proxy", "proxymember"), WHY)

    assert phone.standing == "revoked"


@pytest.mark.parametrize(
    "data",
    [{}, {"reason": "logout_all"}, {"reason": "own word"}, {**WHY, "note": "n" * 256}],
    ids=["nothing", "another page's reason", "no reason of ours", "note too long"],
)
def test_a_mistake_in_the_form_ends_nothing_and_is_shown(
    admin: Client, user: Any, phone: Device, data: dict[str, str]
) -> None:
    response = admin.post(end_page(user, phone), data)

    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert phone.standing == "live"


# --- what is over, and what is not theirs


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_session_that_ended_already_is_no_error(
    admin: Client, user: Any, phone: Device, method: str
) -> None:
    api.end_session(phone.session_id)

    response = getattr(admin, method)(end_page(user, phone), WHY, follow=True)

    assert response.redirect_chain == [(change_page(user), 302)]
    assert messages_of(response) == ["The session on “phone” was over already. Nothing was done."]
    assert [entry.reason for entry in Revocation.objects.all()] == ["logout"]
    assert not LogEntry.objects.exists()


def test_a_session_that_somebody_else_ends_meanwhile_is_no_error(
    admin: Client, user: Any, phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = api.revoke_session

    def late(session: Any, **cause: Any) -> bool:
        real(session)
        return real(session, **cause)

    monkeypatch.setattr(api, "revoke_session", late)

    response = admin.post(end_page(user, phone), WHY, follow=True)

    assert messages_of(response) == ["The session on “phone” was over already. Nothing was done."]
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("method", ["get", "post"])
def test_the_session_of_another_user_is_404(
    admin: Client, user: Any, phone: Device, method: str
) -> None:
    tablet = Device(make_user("bob"), "tablet")

    response = getattr(admin, method)(end_page(user, tablet), WHY)

    assert response.status_code == 404
    assert tablet.standing == "live"


@pytest.mark.parametrize("session", [str(UUID(int=7, version=4)), "junk", "%00", "1"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_unknown_session_is_404(admin: Client, user: Any, session: str, method: str) -> None:
    # What is no UUID is to Django the address of a user of such a key, and leads to the index.
    response = getattr(admin, method)(end_page(user, session), WHY, follow=True)

    assert response.status_code == 404 or response.redirect_chain[-1][0] == "/admin/"


@pytest.mark.parametrize("key", ["999999", "junk", "9" * 40, "%00", "a/b"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_an_unknown_user_is_404(admin: Client, phone: Device, key: str, method: str) -> None:
    address = f"/admin/accounts/member/{key}/sessions/{phone.session_id}/end/"

    assert getattr(admin, method)(address, WHY).status_code == 404
    assert phone.standing == "live"


@pytest.mark.django_db(transaction=True)
def test_while_the_database_does_not_answer_nothing_ends_and_it_is_said(
    admin: Client, user: Any, phone: Device
) -> None:
    with broken_database():
        response = admin.post(end_page(user, phone), WHY, follow=True)

    assert messages_of(response) == ["The database did not answer. Nothing was done: try again."]
    assert phone.standing == "live"
    assert not LogEntry.objects.exists()


# --- who may

DENIED: dict[str, tuple[str, ...]] = {
    "no permission": (),
    "view the user only": (VIEW_USERS, SEE_SESSIONS, END),
    "change the user only": (CHANGE_USERS, SEE_SESSIONS),
    "another permission": (CHANGE_USERS, LOG_OUT),
    "end only": (END,),
}


@pytest.mark.parametrize("permissions", DENIED.values(), ids=list(DENIED))
@pytest.mark.parametrize("method", ["get", "post"])
def test_who_lacks_one_of_the_two_permissions_is_refused(
    staff: Callable[..., Client],
    user: Any,
    phone: Device,
    permissions: tuple[str, ...],
    method: str,
) -> None:
    response = getattr(staff(*permissions), method)(end_page(user, phone), WHY)

    assert response.status_code == 403
    assert phone.standing == "live"


@pytest.mark.parametrize("method", ["get", "post"])
def test_who_may_not_do_it_is_not_told_which_users_and_sessions_there_are(
    staff: Callable[..., Client], user: Any, method: str
) -> None:
    client = staff(VIEW_USERS)
    nobody = f"/admin/accounts/member/999/sessions/{uuid4()}/end/"

    assert getattr(client, method)(nobody, WHY).status_code == 403
    assert getattr(client, method)(end_page(user, uuid4()), WHY).status_code == 403


def test_who_has_both_permissions_may(
    staff: Callable[..., Client], user: Any, phone: Device
) -> None:
    client = staff(CHANGE_USERS, END)

    assert client.get(end_page(user, phone)).status_code == 200
    assert client.post(end_page(user, phone), WHY).status_code == 302
    assert phone.standing == "revoked"


def test_what_the_site_s_admin_guards_is_guarded(staff: Callable[..., Client], boss: Any) -> None:
    phone = Device(boss)

    response = staff(CHANGE_USERS, END).post(end_page(boss, phone, "guards-superusers"), WHY)

    assert response.status_code == 403
    assert phone.standing == "live"


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_logged_in_is_asked_to_log_in(
    client: Client, user: Any, phone: Device, method: str
) -> None:
    response = getattr(client, method)(end_page(user, phone), WHY)

    assert response.headers["Location"].startswith("/admin/login/?next=")
    assert phone.standing == "live"


def test_a_post_without_the_csrf_token_is_refused(boss: Any, user: Any, phone: Device) -> None:
    response = browser_of(boss, enforce_csrf_checks=True).post(end_page(user, phone), WHY)

    assert response.status_code == 403
    assert phone.standing == "live"


def test_the_form_of_the_page_carries_the_csrf_token(boss: Any, user: Any, phone: Device) -> None:
    client = browser_of(boss, enforce_csrf_checks=True)
    token = str(client.get(end_page(user, phone)).context["csrf_token"])

    client.post(end_page(user, phone), {**WHY, "csrfmiddlewaretoken": token})

    assert phone.standing == "revoked"
