"""A user's page shows the sessions that live and what was revoked, to whoever may see them."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.models import DeviceSession
from jwt_revoke.testing import Device
from tests.admin.conftest import (
    CHANGE_USERS,
    LOG_OUT,
    VIEW_USERS,
    change_page,
    refuse_to_read,
)
from tests.admin.test_end_session import end_page
from tests.conftest import make_user
from tests.geoip import LISBON, write_cities

PANEL = 'id="jwt-revoke-panel"'
SEE_SESSIONS = "jwt_revoke.view_devicesession"
SEE_LOG = "jwt_revoke.view_revocation"
END = "jwt_revoke.end_devicesession"
SESSION_LIST = "/admin/jwt_revoke/devicesession/"
LOG = "/admin/jwt_revoke/revocation/"


def page_of(client: Client, user: Any, site: str = "admin", model: str = "member") -> str:
    response = client.get(change_page(user, site, model))
    assert response.status_code == 200
    return str(response.content.decode())


def panel_of(client: Client, user: Any, site: str = "admin", model: str = "member") -> str:
    """The panel's own markup, ``""`` without one."""
    page = page_of(client, user, site, model)
    found = re.search(r'<section class="module jwt-revoke-panel".*?</section>', page, re.DOTALL)
    return found[0] if found else ""


def cells(panel: str, caption: str) -> list[list[str]]:
    """The rows of the table of that caption, as one reads them."""
    tables = re.findall(r"<caption.*?</table>", panel, re.DOTALL)
    (table,) = [table for table in tables if f">{caption}</caption>" in table]
    body = table.partition("<tbody>")[2].replace("\xa0", " ")
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in body.split("</tr>")[:-1]
    ]


def sessions(panel: str) -> list[list[str]]:
    return cells(panel, "Live sessions")


def revocations(panel: str) -> list[list[str]]:
    return cells(panel, "Last revocations")


# --- sessions


def test_each_live_session_is_shown_with_its_device_address_and_ages(
    admin: Client, user: Any
) -> None:
    phone = Device(user, "phone", REMOTE_ADDR="192.0.2.7")
    now = timezone.now()
    DeviceSession.objects.filter(pk=phone.session_id).update(
        created_at=now - timedelta(days=21), last_used_at=now - timedelta(minutes=5)
    )

    (row,) = sessions(panel_of(admin, user))

    assert row == ["phone", "192.0.2.7", "3 weeks ago", "5 minutes ago", "End"]


def test_the_last_used_is_the_first(admin: Client, user: Any, phone: Device) -> None:
    Device(user, "laptop")
    phone.refresh_tokens()

    assert [row[0] for row in sessions(panel_of(admin, user))] == ["phone", "laptop"]


def test_a_session_that_ended_or_expired_is_not_shown(
    admin: Client, user: Any, phone: Device, laptop: Device
) -> None:
    tablet = Device(user, "tablet")
    api.end_session(phone.session_id)
    DeviceSession.objects.filter(pk=tablet.session_id).update(expires_at=timezone.now())

    assert [row[0] for row in sessions(panel_of(admin, user))] == ["laptop"]


def test_the_sessions_of_others_are_not_shown(admin: Client, user: Any, phone: Device) -> None:
    bob = make_user("bob")
    tablet = Device(bob, "tablet")
    api.end_session(tablet.session_id, note="Bob’s own")
    Device(bob, "watch")

    panel = panel_of(admin, user)

    assert [row[0] for row in sessions(panel)] == ["phone"]
    assert "tablet" not in panel
    assert "Bob’s own" not in panel


def test_of_many_sessions_twenty_are_shown_and_the_others_counted(admin: Client, user: Any) -> None:
    for number in range(23):
        Device(user, f"device-{number:02}")

    panel = panel_of(admin, user)

    shown = [row[0] for row in sessions(panel)]
    assert (len(shown), shown[0], shown[-1]) == (20, "device-22", "device-03")
    assert f'<a href="{SESSION_LIST}?q=alice">and 3 more</a>' in panel


def test_the_others_are_found_behind_the_link(admin: Client, user: Any) -> None:
    for number in range(21):
        Device(user, f"device-{number:02}")
    Device(make_user("bob"), "tablet")
    (address,) = re.findall(r'<a href="([^"]+)">and 1 more', panel_of(admin, user))

    found = admin.get(address).context["cl"].result_list

    assert {session.user_id for session in found} == {user.pk}
    assert len(found) == 21


def test_the_others_are_counted_no_further_than_the_list_counts(
    admin: Client, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_revoke.admin.user_panel.COUNTED", 22)
    for _ in range(30):
        Device(user)

    assert ">and more than 1 more<" in panel_of(admin, user)


def test_a_name_is_quoted_in_the_links(admin: Client) -> None:
    person = make_user("a&b c")
    for _ in range(21):
        Device(person)

    assert f"{SESSION_LIST}?q=a%26b+c" in panel_of(admin, person)


def test_without_a_page_of_the_sessions_the_others_are_only_counted(
    admin: Client, user: Any
) -> None:
    """The second site has the users alone."""
    for _ in range(21):
        Device(user)

    assert "<p>and 1 more</p>" in panel_of(admin, user, "second")


def test_a_device_without_a_name_is_told_by_its_session(admin: Client, user: Any) -> None:
    tablet = Device(user, "")

    assert sessions(panel_of(admin, user))[0][0] == str(tablet.session_id)


def test_a_device_s_name_is_escaped(admin: Client, user: Any) -> None:
    device = Device(user, '"><script>alert(1)</script>')
    live = panel_of(admin, user)
    api.end_session(device.session_id, note="<b>note</b>", reason="<i>own</i>", actor="<u>job</u>")

    for panel in (live, panel_of(admin, user)):
        assert "&lt;script&gt;alert(1)" in panel
        assert not re.search("<(script|b|i|u)>", panel)
        assert 'aria-label="End the session on ">' not in panel


def test_the_link_to_end_it_says_on_which_device(admin: Client, user: Any, phone: Device) -> None:
    link = f'<a href="{end_page(user, phone)}" aria-label="End the session on phone">End</a>'

    assert link in panel_of(admin, user)


def test_a_user_who_is_signed_in_nowhere_is_told_so_in_words(admin: Client, user: Any) -> None:
    panel = panel_of(admin, user)

    assert "signed in nowhere" in panel
    assert "Nothing of this user’s was revoked." in panel
    assert "<table" not in panel


# --- places


def test_a_place_is_shown_where_the_site_has_geoip(
    admin: Client, user: Any, settings: Any, tmp_path: Path
) -> None:
    settings.GEOIP_PATH = write_cities(tmp_path)
    Device(user, "phone", REMOTE_ADDR=LISBON)
    Device(user, "laptop", REMOTE_ADDR="10.0.0.1")

    laptop, phone = sessions(panel_of(admin, user))

    assert phone[:3] == ["phone", "Lisbon, Portugal", LISBON]
    assert laptop[:3] == ["laptop", "–", "10.0.0.1"]


# --- revocations


def test_a_revocation_is_told_in_words(
    admin: Client, boss: Any, user: Any, phone: Device, laptop: Device
) -> None:
    api.revoke_user(user, effect="access", reason="role_changed")
    api.revoke_session(phone.session_id, reason="device_lost", actor=boss, note="In a taxi")
    api.revoke_user(user, reason="own_word", actor="nightly job")

    told = [row[1:] for row in revocations(panel_of(admin, user))]

    assert told == [
        ["All sessions", "Signed out", "own_word", "nightly job", "–"],
        ["phone", "Signed out", "Device lost or stolen", "boss", "In a taxi"],
        ["All sessions", "Access tokens only", "Role changed", "–", "–"],
    ]


def test_the_last_ten_revocations_are_shown(admin: Client, user: Any) -> None:
    for number in range(12):
        api.revoke_user(user, reason=f"reason-{number:02}")

    told = [row[3] for row in revocations(panel_of(admin, user))]

    assert (len(told), told[0], told[-1]) == (10, "reason-11", "reason-02")


def test_of_many_sessions_those_that_ended_last_are_told(
    admin: Client, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jwt_revoke.admin.user_panel._ENDED", 2)
    for name in ("first", "second", "third"):
        api.end_session(Device(user, name).session_id)

    assert [row[1] for row in revocations(panel_of(admin, user))] == ["third", "second"]


def test_an_actor_who_is_gone_is_told_by_the_key(admin: Client, user: Any) -> None:
    carol = make_user("carol")
    api.revoke_user(user, actor=carol)
    key = str(carol.pk)
    carol.delete()

    assert revocations(panel_of(admin, user))[0][4] == key


@pytest.mark.parametrize("actor", ["9" * 30, "-1", "٣", " ", "cron"])
def test_an_actor_who_is_no_user_is_told_as_written(admin: Client, user: Any, actor: str) -> None:
    api.revoke_user(user, actor=actor)

    assert revocations(panel_of(admin, user))[0][4] == actor.strip()


def test_the_whole_log_of_the_user_is_behind_a_link(admin: Client, user: Any) -> None:
    api.revoke_user(user)
    api.revoke_user(make_user("bob"))

    (address,) = re.findall(rf'<a href="({LOG}[^"]+)">', panel_of(admin, user))

    assert [entry.subject for entry in admin.get(address).context["cl"].result_list] == [
        str(user.pk)
    ]


# --- where it is


@pytest.mark.parametrize("site", ["admin", "second", "again", "own-template", "no-actions"])
def test_it_is_on_every_page_of_a_user(admin: Client, user: Any, phone: Device, site: str) -> None:
    panel = panel_of(admin, user, site)

    assert sessions(panel)[0][0] == "phone"
    assert end_page(user, phone, site) in panel


def test_it_is_below_the_form_and_outside_of_it(admin: Client, user: Any, phone: Device) -> None:
    """A form within the admin's own would be lost, and so would a button of ours."""
    page = page_of(admin, user)

    assert page.index('id="member_form"') < page.rindex("</form>") < page.index(PANEL)


def test_the_admin_of_a_proxy_of_the_user_has_it_too(
    admin: Client, user: Any, phone: Device
) -> None:
    panel = panel_of(admin, user, "proxy", "proxymember")

    assert end_page(user, phone, "proxy", "proxymember") in panel


def test_an_admin_that_renders_by_itself_has_it(admin: Client, user: Any, phone: Device) -> None:
    assert sessions(panel_of(admin, user, "own-rendering"))[0][0] == "phone"


def test_an_admin_that_hides_its_urls_has_it_without_links(
    admin: Client, user: Any, phone: Device
) -> None:
    page = admin.get(f"/unreachable/accounts/member/{user.pk}/edit/").content.decode()

    assert PANEL in page
    assert "/end/" not in page


@pytest.mark.parametrize("site", ["admin", "own-template", "own-rendering"])
def test_a_popup_has_none(admin: Client, user: Any, phone: Device, site: str) -> None:
    page = admin.get(change_page(user, site) + "?_popup=1")

    assert page.status_code == 200
    assert PANEL not in page.content.decode()


def test_the_page_that_adds_a_user_has_none(admin: Client) -> None:
    assert PANEL not in admin.get("/admin/accounts/member/add/").content.decode()


def test_it_stays_when_the_form_has_a_mistake(admin: Client, user: Any, phone: Device) -> None:
    response = admin.post(change_page(user), {"username": ""})

    assert response.status_code == 200
    assert PANEL in response.content.decode()


# --- who sees it


@pytest.mark.parametrize("permission", [END, LOG_OUT])
@pytest.mark.parametrize("on_users", [VIEW_USERS, CHANGE_USERS])
def test_who_may_end_a_user_s_sessions_sees_them(
    staff: Callable[..., Client], user: Any, phone: Device, permission: str, on_users: str
) -> None:
    """As on the pages that ask; who may not change the user is refused there, and here."""
    page = page_of(staff(on_users, permission), user)

    assert (PANEL in page) == (on_users == CHANGE_USERS)


@pytest.mark.parametrize(
    ("permissions", "seen"),
    [
        ((), set()),
        ((SEE_SESSIONS,), {"Live sessions"}),
        ((SEE_SESSIONS, END), {"Live sessions"}),
        ((SEE_LOG,), {"Last revocations"}),
        ((SEE_SESSIONS, SEE_LOG), {"Live sessions", "Last revocations"}),
    ],
)
@pytest.mark.parametrize("on_users", [VIEW_USERS, CHANGE_USERS])
def test_each_part_is_shown_to_whoever_may_see_it(
    staff: Callable[..., Client],
    user: Any,
    phone: Device,
    permissions: tuple[str, ...],
    seen: set[str],
    on_users: str,
) -> None:
    api.revoke_session(Device(user, "tablet").session_id)

    page = page_of(staff(on_users, *permissions), user)

    assert set(re.findall("<caption[^>]*>(.*?)</caption>", page)) == seen
    assert ("phone" in page) is ("Live sessions" in seen)
    assert ("tablet" in page) is ("Last revocations" in seen)
    assert (PANEL in page) is bool(seen)


@pytest.mark.parametrize(
    ("permissions", "may_end"),
    [
        ((CHANGE_USERS, END), True),
        ((CHANGE_USERS, SEE_SESSIONS), False),
        ((VIEW_USERS, SEE_SESSIONS, END), False),
    ],
)
def test_only_who_may_end_and_may_change_the_user_sees_the_links(
    staff: Callable[..., Client],
    user: Any,
    phone: Device,
    permissions: tuple[str, ...],
    may_end: bool,
) -> None:
    panel = panel_of(staff(*permissions), user)

    assert sessions(panel)[0][0] == "phone"
    assert (end_page(user, phone) in panel) is may_end
    assert (">End<" in panel) is may_end


def test_a_user_whom_the_site_s_admin_guards_has_no_links(
    staff: Callable[..., Client], boss: Any
) -> None:
    Device(boss, "phone")
    client = staff(CHANGE_USERS, VIEW_USERS, SEE_SESSIONS, END)

    panel = panel_of(client, boss, "guards-superusers")

    assert sessions(panel) == [["phone", "127.0.0.1", "just now", "just now"]]


def test_who_may_not_see_the_lists_gets_no_links_to_them(
    staff: Callable[..., Client], user: Any
) -> None:
    for _ in range(21):
        Device(user)
    api.revoke_user(user, effect="access")

    page = page_of(staff(CHANGE_USERS, END), user)

    assert "and 1 more" in page
    assert SESSION_LIST not in page
    assert LOG not in page


# --- what it costs, and what it must not cost


def add_history(user: Any, count: int) -> None:
    """So many live sessions, so many that ended, and revocations by somebody else each."""
    state = user.jwt_revoke_state
    now = timezone.now()
    rows = [
        DeviceSession(
            user=user,
            name=f"device-{number}",
            created_at=now,
            authenticated_at=now,
            last_used_at=now,
            idle_expires_at=now + timedelta(days=1),
            expires_at=now + timedelta(days=1),
            opened_version=state.version,
            opened_generation=0,
            ended_at=None if number % 2 else now,
        )
        for number in range(2 * count)
    ]
    DeviceSession.objects.bulk_create(rows)
    for number in range(min(count, 12)):
        actor = make_user(f"actor {number} of {user}")
        api.revoke_user(user, effect="access", actor=actor)


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(
    admin: Client, user: Any, phone: Device
) -> None:
    """Invariant 8."""
    add_history(user, 1)
    page_of(admin, user)  # what is read once a process
    with CaptureQueriesContext(connection) as few:
        page_of(admin, user)

    crowd = make_user("crowd")
    Device(crowd)
    add_history(crowd, 1_000)
    with CaptureQueriesContext(connection) as many:
        panel = panel_of(admin, crowd)

    assert "and 981 more" in panel
    assert len(revocations(panel)) == 10
    assert len(many) == len(few)


def test_it_asks_our_tables_five_times(admin: Client, user: Any, phone: Device) -> None:
    """Invariant 8: live sessions, their number, those that ended; the user's log, and theirs."""
    add_history(user, 1)

    with CaptureQueriesContext(connection) as asked:
        page_of(admin, user)

    ours = [query["sql"] for query in asked if "jwt_revoke_" in query["sql"]]
    assert len([sql for sql in ours if "SELECT" in sql]) == 5


@pytest.mark.parametrize("method", ["get", "post"])
def test_while_our_tables_cannot_be_read_the_page_is_there_and_says_so(
    admin: Client, user: Any, phone: Device, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    """Also after a mistake in the form, where the page is made within a transaction."""
    with connection.execute_wrapper(refuse_to_read), caplog.at_level(logging.WARNING):
        response = getattr(admin, method)(change_page(user), {"username": ""})
        page = response.content.decode()

    assert response.status_code == 200
    assert 'id="member_form"' in page
    assert "they cannot be shown now" in page
    assert "Live sessions" not in page
    assert "signed in nowhere" not in page
    assert [record.levelname for record in caplog.records if record.name == "jwt_revoke"] == [
        "WARNING"
    ]


def test_a_database_that_is_refused_names_no_parameter(
    admin: Client, user: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Invariant 9: a driver's message may quote what was asked for."""

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise DatabaseError("near secret")

    monkeypatch.setattr("jwt_revoke.admin.user_panel.live_sessions", fail)

    assert "cannot be shown" in page_of(admin, user)
    assert "secret" not in caplog.text


def test_no_token_key_or_hash_is_on_the_page(admin: Client, user: Any, phone: Device) -> None:
    """Invariant 9."""
    panel = panel_of(admin, user)

    for secret in (phone.access, phone.refresh_token, user.password):
        assert secret not in panel
    for address in re.findall('href="([^"]+)"', panel):
        assert urlsplit(address).path.startswith("/admin/")


def test_who_may_not_open_the_page_is_shown_nothing(
    staff: Callable[..., Client], user: Any, phone: Device
) -> None:
    response = staff(SEE_SESSIONS, SEE_LOG).get(change_page(user))

    assert response.status_code == 403
    assert "phone" not in response.content.decode()
