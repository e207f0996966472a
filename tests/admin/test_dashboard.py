"""The dashboard: what is on it, for whom, and that it stays up while others are down."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.contrib.admin import AdminSite
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone, translation

from jwt_revoke import api, insights
from jwt_revoke.admin import dashboard
from jwt_revoke.insights import Health, LiveSessions
from jwt_revoke.models import DeviceSession, ReplicaProcess, Revocation, SigningKey
from jwt_revoke.testing import Device
from tests.admin.conftest import refuse_to_read
from tests.admin.test_processes_page import add as add_process
from tests.conftest import make_user

PAGE = "/admin/jwt_revoke/"
SESSIONS = "jwt_revoke.view_devicesession"
LOG = "jwt_revoke.view_revocation"
PROCESSES = "jwt_revoke.view_replicaprocess"
TABLES = {
    SESSIONS: DeviceSession._meta.db_table,
    LOG: Revocation._meta.db_table,
    PROCESSES: ReplicaProcess._meta.db_table,
}
FOLLOWS = {
    "BACKEND": "jwt_revoke.backends.replica.ReplicaBackend",
    "OPTIONS": {"log": "redis", "max_staleness": 0.25},
}


def page(client: Client, query: str = "") -> str:
    response = client.get(PAGE + query)
    assert response.status_code == 200
    return response.content.decode()


def figures(client: Client, query: str = "") -> dict[str, tuple[str, str]]:
    """Label → number and what is said of it."""
    found = shown(client, query)["figures"]
    return {figure.label: (figure.value, figure.note) for figure in found}


def shown(client: Client, query: str = "") -> Any:
    response = client.get(PAGE + query)
    return response.context["jwt_revoke_dashboard"]()


def revoke(reason: str, count: int = 1, *, days_ago: float = 0) -> None:
    moment = timezone.now() - timedelta(days=days_ago)
    Revocation.objects.bulk_create(
        Revocation(
            scope="user", effect="access", reason=reason, created_at=moment, expires_at=moment
        )
        for _ in range(count)
    )


def test_the_figures_of_a_week(admin: Client, phone: Device, laptop: Device) -> None:
    api.end_session(phone.session_id)
    revoke("refresh_reused", 3)
    revoke("refresh_reused", 2, days_ago=8)

    assert figures(admin) == {
        "Live sessions": ("1", ""),
        "Sign-ins": ("2", "none in the period before"),
        "Revocations": ("4", "+100 % on 2 in the period before"),
        "Refresh token used twice": ("3", "+50 % on 2 in the period before"),
    }


def test_fewer_than_before_is_said_so(admin: Client) -> None:
    revoke("logout", 3)
    revoke("logout", 4, days_ago=8)

    assert figures(admin)["Revocations"] == ("3", "\N{MINUS SIGN}25 % on 4 in the period before")


def test_as_many_as_before_is_said_so(admin: Client) -> None:
    revoke("logout", 1)
    revoke("logout", 1, days_ago=8)

    assert figures(admin)["Revocations"] == ("1", "0 % on 1 in the period before")


def test_what_a_sample_suggests_is_said_to_be_an_estimate(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = LiveSessions(1_000_000, is_exact=False)
    monkeypatch.setattr(insights, "live_session_count", lambda using: found)

    assert figures(admin)["Live sessions"] == ("about 1,000,000", "estimated from a sample")


@pytest.mark.once
@pytest.mark.parametrize(
    ("query", "current", "columns"),
    [
        ("", "7d", 7),
        ("?period=24h", "24h", 24),
        ("?period=7d", "7d", 7),
        ("?period=30d", "30d", 30),
        ("?period=1y", "7d", 7),
        ("?period=", "7d", 7),
        ("?period=%00%ff", "7d", 7),
    ],
)
def test_the_period_is_one_of_three(
    admin: Client, phone: Device, query: str, current: str, columns: int
) -> None:
    text = page(admin, query)

    assert f'<a href="?period={current}" aria-current="true">' in text
    assert text.count('aria-current="true"') == 1
    assert text.count('class="jwt-revoke-column"') == columns


def test_the_figures_of_the_log_lead_to_its_rows(admin: Client) -> None:
    revoke("refresh_reused", 2)
    revoke("logout", 1)

    for period in dashboard.PERIODS:
        *_others, revoked, reused = shown(admin, f"?period={period}")["figures"]
        for figure, count in [(revoked, 3), (reused, 2)]:
            response = admin.get(figure.url)
            assert response.status_code == 200
            assert response.context["cl"].result_count == count


def test_an_empty_site_says_so(admin: Client) -> None:
    text = page(admin)

    assert "Nobody signed in during this time." in text
    assert "Nothing was revoked during this time." in text
    assert "jwt-revoke-plot" not in text


def test_a_chart_has_a_name_a_description_and_its_numbers(admin: Client, phone: Device) -> None:
    text = page(admin)

    assert '<title id="jwt-revoke-sign-ins-title">Sign-ins</title>' in text
    assert 'role="img" aria-labelledby="jwt-revoke-sign-ins-title"' in text
    assert "1 in all; the most, 1: " in text
    assert text.count('<th scope="row">') >= 7
    assert "<summary>Show the numbers</summary>" in text


def test_reasons_are_in_words_the_reuse_always_among_them(admin: Client) -> None:
    revoke("password_changed")

    (chart,) = shown(admin)["charts"][1:]

    assert [(one.look, one.name, one.total) for one in chart.series] == [
        ("0", "Refresh token used twice", "0"),
        ("1", "Password changed", "1"),
    ]


def test_rare_reasons_are_together(admin: Client) -> None:
    for number in range(6):
        revoke(f"own {number}", 7 - number)

    (chart,) = shown(admin)["charts"][1:]

    assert [one.name for one in chart.series] == [
        *("Refresh token used twice", "own 0", "own 1", "own 2", "own 3", "Other reasons")
    ]
    assert chart.series[-1].total == str(3 + 2)
    assert chart.columns[-1].total == str(7 + 6 + 5 + 4 + 3 + 2)


def test_a_reason_of_the_site_s_own_is_text(admin: Client) -> None:
    revoke("</title><script>x</script>")

    text = page(admin)

    assert "<script>x" not in text
    assert "&lt;/title&gt;&lt;script&gt;x" in text


def test_coordinates_are_not_in_the_language_of_the_viewer(
    admin: Client, settings: Any, phone: Device
) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    with translation.override("de"):
        text = page(admin, "?period=30d")

    assert 'viewBox="0 0 300.0 100.0"' in text
    assert 'width="7.5"' in text


def test_nothing_is_inline(admin: Client, phone: Device) -> None:
    """A strict Content-Security-Policy lets all of it pass."""
    content = page(admin).partition('class="jwt-revoke-dashboard"')[2]

    assert "style=" not in content
    assert "<style" not in content
    assert "onclick" not in content


def test_the_style_sheet_carries_the_nonce_of_the_page(admin: Client, settings: Any) -> None:
    options = settings.TEMPLATES[0]["OPTIONS"]
    settings.TEMPLATES = [
        {
            **settings.TEMPLATES[0],
            "OPTIONS": {
                **options,
                "context_processors": [*options["context_processors"], f"{__name__}.nonce"],
            },
        }
    ]

    assert 'href="/static/jwt_revoke/dashboard.css" nonce="n0nce"' in page(admin)


def nonce(request: Any) -> dict[str, str]:
    return {"csp_nonce": "n0nce"}


@pytest.mark.parametrize(
    ("permissions", "titles"),
    [
        ([SESSIONS], ["Sign-ins"]),
        ([LOG], ["Revocations by reason"]),
        ([PROCESSES], []),
        ([SESSIONS, LOG], ["Sign-ins", "Revocations by reason"]),
        ([LOG, PROCESSES], ["Revocations by reason"]),
    ],
)
def test_what_one_may_not_see_is_neither_there_nor_asked_for(
    staff: Callable[..., Client], settings: Any, permissions: list[str], titles: list[str]
) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, **FOLLOWS, "OPTIONS": {"log": "database"}}
    client = staff(*permissions)

    found = shown(client)
    with CaptureQueriesContext(connection) as captured:
        page(client)

    asked = " ".join(query["sql"] for query in captured)
    assert [chart.title for chart in found["charts"]] == titles
    assert len(found["figures"]) == 2 * len(titles)
    assert bool(found["health"]) == (PROCESSES in permissions)
    for permission, table in TABLES.items():
        # How far the log is numbered is a matter of the processes that follow it.
        may = permission in permissions or (permission == LOG and PROCESSES in permissions)
        assert (f'"{table}"' in asked or f"`{table}`" in asked) == may


def test_who_sees_none_of_our_lists_has_no_dashboard(staff: Callable[..., Client]) -> None:
    client = staff("jwt_revoke.end_devicesession", "accounts.view_member")

    assert client.get(PAGE).status_code == 404
    assert "Dashboard" not in client.get("/admin/").content.decode()


def test_a_stranger_is_asked_to_log_in(client: Client) -> None:
    assert client.get(PAGE).url == f"/admin/login/?next={PAGE}"


@pytest.mark.parametrize("count", [1, 30])
def test_the_number_of_statements_depends_on_nothing(admin: Client, count: int) -> None:
    """Invariant 8. The session, the user, and then: 2 + 1 for sessions, 2 for the log; within the
    test's transaction also a savepoint and its release."""
    user = make_user("many")
    for number in range(count):
        Device(user)
        revoke(f"reason {number}")

    with CaptureQueriesContext(connection) as captured:
        page(admin)

    assert len(captured) == 2 + 3 + 2 + 2


def test_while_our_tables_cannot_be_read_the_list_of_models_is_there(
    admin: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with connection.execute_wrapper(refuse_to_read), caplog.at_level(logging.WARNING):
        response = admin.get(PAGE)

    content = response.content.decode()
    assert response.status_code == 200
    assert "they cannot be shown now" in content
    assert "/admin/jwt_revoke/revocation/" in content
    assert "The dashboard is left empty" in caplog.text


@pytest.mark.once
def test_the_index_leads_to_it_first(admin: Client) -> None:
    response = admin.get("/admin/")

    (app,) = [app for app in response.context["app_list"] if app["app_label"] == "jwt_revoke"]
    assert str(app["models"][0]["name"]) == "Dashboard"
    assert admin.get(app["models"][0]["admin_url"]).context["jwt_revoke_dashboard"]


@pytest.mark.once
def test_it_does_not_lead_to_itself(admin: Client) -> None:
    app_list = admin.get(PAGE).context["app_list"]

    assert "Dashboard" not in [str(model["name"]) for model in app_list[0]["models"]]


@pytest.mark.once
def test_no_menu_marks_it_as_the_current_one_on_another_page(admin: Client) -> None:
    text = admin.get(f"{PAGE}devicesession/").content.decode()

    assert 'aria-current="page">Device sessions' in text
    assert 'aria-current="page">Dashboard' not in text


@pytest.mark.once
def test_other_apps_and_other_sites_are_left_alone(admin: Client) -> None:
    assert "jwt_revoke_dashboard" not in admin.get("/admin/auth/").context
    assert admin.get("/second/jwt_revoke/").status_code == 404
    assert "Dashboard" not in admin.get("/second/").content.decode()


@pytest.mark.once
def test_a_site_s_own_template_is_not_made_to_wait_for_it(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AdminSite, "app_index_template", "own_page.html")

    with CaptureQueriesContext(connection) as captured:
        text = page(admin)

    assert "jwt-revoke-dashboard" not in text
    assert not any("jwt_revoke_" in query["sql"] for query in captured)


@pytest.mark.once
def test_a_site_s_own_page_of_our_app_may_be_of_any_kind() -> None:
    request, site = RequestFactory().get(PAGE), AdminSite()
    response = HttpResponse("own")

    found = dashboard.with_dashboard(Mock(return_value=response), site, request, "jwt_revoke")

    assert found is response


def test_a_site_has_those_parts_that_it_has_admins_for(boss: Any, rf: RequestFactory) -> None:
    request, site = rf.get(PAGE), AdminSite("of-its-own")
    request.user = boss
    site.register(DeviceSession)

    found = dashboard.dashboard(site, request)

    assert [chart.key for chart in found["charts"]] == ["sign-ins"]
    assert [figure.url for figure in found["figures"]] == ["", ""]  # it has no URLs either
    assert found["health"] == []


@pytest.mark.once
def test_a_site_with_none_of_those_admins_has_none_of_it(boss: Any, rf: RequestFactory) -> None:
    request, site = rf.get(PAGE), AdminSite("of-its-own")
    request.user = boss
    site.register(SigningKey)

    assert dashboard.dashboard(site, request) == {}
    assert dashboard.dashboard_url(site, request) == ""


@pytest.mark.once
def test_a_backend_that_asks_the_database_has_little_to_say(admin: Client) -> None:
    assert [row[:2] for row in shown(admin)["health"]] == [
        ("Backend", "jwt_revoke.backends.database.DatabaseBackend"),
        ("Sees a revocation", "at the next request"),
    ]


@pytest.fixture
def hung() -> Iterator[str]:
    """A Redis that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"


@pytest.mark.once
@pytest.mark.parametrize("which", ["away", "hung"])
def test_it_stands_while_redis_does_not(
    admin: Client, settings: Any, hung: str, which: str
) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, **FOLLOWS}
    address = hung if which == "hung" else "redis://127.0.0.1:1/0"
    cache = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": address}
    settings.CACHES = {"default": cache}
    began = time.monotonic()

    text = page(admin)

    assert "cannot be read: Redis: " in text
    assert time.monotonic() - began < 3


def health(**changes: Any) -> dict[str, str]:
    """What is said of a backend that follows the log: label → text."""
    given = {"oldest_wait": None, "processes": [], **changes}
    found = Health(
        "own.Backend", strict=False, figures={"Log followed": "own"}, follows=True, **given
    )
    return {row.label: row.text for row in dashboard.rows_of(found, "")}


@pytest.mark.once
def test_a_log_that_is_followed_is_told_of() -> None:
    assert health() == {
        "Backend": "own.Backend",
        "Log followed": "own",
        "Oldest entry without a number": "none",
        "Replica processes": "No replica process was seen of late.",
    }


@pytest.mark.once
@pytest.mark.parametrize(
    ("wait", "text"),
    [
        (timedelta(seconds=2.25), "2.2 s"),
        (timedelta(minutes=5), "5 minutes ago"),
        (timedelta(days=62), "2 months ago"),
    ],
)
def test_how_long_an_entry_waits_is_said_in_fitting_units(wait: timedelta, text: str) -> None:
    found = health(oldest_wait=wait)["Oldest entry without a number"]

    assert found.replace("\xa0", " ") == text


def test_the_furthest_behind_is_named(db: None) -> None:
    rows = [
        add_process(1, behind=1),
        add_process(2, host="web2", behind=1200, age=None),
        add_process(3, behind=None),
    ]

    found = health(processes=rows)

    assert found["Replica processes"] == "3"
    assert found["Furthest behind"] == "1,200 entries (web2:4711)"
    assert found["Not reading"] == "1"


def test_processes_that_keep_up_are_said_to(db: None) -> None:
    found = health(processes=[add_process(1, behind=0)])

    assert found["Furthest behind"] == "0 entries"
    assert "Not reading" not in found
