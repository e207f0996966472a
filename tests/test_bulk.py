"""Many at once, set-based (invariant 8)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import connection
from django.db.models import Q, QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import api, log
from jwt_revoke.bulk import revoke_sessions
from jwt_revoke.log import Cause
from jwt_revoke.models import DeviceSession, Revocation, UserTokenState
from jwt_revoke.testing import Device
from tests.conftest import make_user

pytestmark = pytest.mark.database


@pytest.fixture
def users(db: None) -> QuerySet[Any]:
    for number in range(6):
        make_user(f"user{number}")
    return get_user_model().objects.order_by("username")


def crowd(count: int, first: int = 0) -> QuerySet[Any]:
    """So many users with two sessions each, made without signing each of them in."""
    model = get_user_model()
    names = [f"crowd{number}" for number in range(first, first + count)]
    model.objects.bulk_create([model(username=name, password="!") for name in names])
    users = model.objects.filter(username__in=names)
    version, now = log.now_ms(), timezone.now()
    later = now + timedelta(days=1)
    states = [
        UserTokenState(user_id=user.pk, version=version, session_floor=version) for user in users
    ]
    UserTokenState.objects.bulk_create(states[::2])
    DeviceSession.objects.bulk_create(
        DeviceSession(
            user_id=user.pk,
            created_at=now,
            authenticated_at=now,
            last_used_at=now,
            idle_expires_at=later,
            expires_at=later,
            opened_version=version,
            opened_generation=0,
        )
        for user in users
        for _ in range(2)
    )
    return users


def revoked_names() -> set[str]:
    keys = list(Revocation.objects.filter(scope="user").values_list("subject", flat=True))
    return set(get_user_model().objects.filter(pk__in=keys).values_list("username", flat=True))


def test_all_users_of_a_queryset_are_logged_out(users: QuerySet[Any]) -> None:
    phones = [Device(user) for user in users]
    assert api.revoke_users(users.filter(username__gte="user2")) == 4
    assert [phone.standing for phone in phones] == ["live"] * 2 + ["revoked"] * 4


def test_effect_access_makes_them_refresh(users: QuerySet[Any]) -> None:
    phones = [Device(user) for user in users]
    api.revoke_users(users, effect="access")
    assert {phone.standing for phone in phones} == {"stale"}
    for phone in phones:
        phone.refresh_tokens()
    assert {phone.standing for phone in phones} == {"live"}
    assert DeviceSession.objects.filter(ended_at=None).count() == 6


def test_one_user_is_a_bulk_too(users: QuerySet[Any]) -> None:
    assert api.revoke_users(users.filter(username="user3")) == 1
    assert revoked_names() == {"user3"}


def test_nobody_is_no_batch(users: QuerySet[Any], revocations: list[Any]) -> None:
    assert api.revoke_users(users.none()) == 0
    assert api.revoke_users(users.filter(username="nobody")) == 0
    assert Revocation.objects.count() == 0


def test_a_thousand_users_in_one_call(db: None) -> None:
    """s17: every state exists afterwards, every session has ended, one batch in the log."""
    everybody = crowd(1000)
    assert api.revoke_users(everybody) == 1000
    assert UserTokenState.objects.count() == 1000
    assert DeviceSession.objects.filter(ended_at=None).count() == 0
    assert Revocation.objects.values("batch").distinct().count() == 1


@pytest.mark.parametrize("effect", ["session", "access"])
def test_300_users_take_as_many_statements_as_3(db: None, effect: str) -> None:
    """Invariant 8: constant, and no more than six; seven where what is copied is locked."""
    few, many = crowd(3), crowd(300, first=3)
    counts = []
    for users in (few, many):
        with CaptureQueriesContext(connection) as captured:
            api.revoke_users(users, effect=effect)
        counts.append(sum("SAVEPOINT" not in query["sql"] for query in captured))
    level = getattr(connection, "isolation_level", None)
    locked = connection.vendor == "mysql" and level != "read committed"
    assert counts[0] == counts[1] <= 6 + locked


def test_the_signal_is_sent_once_a_call(users: QuerySet[Any]) -> None:
    from jwt_revoke.testing import collect_revocations

    with collect_revocations() as heard:
        api.revoke_users(users, reason="incident")
    (said,) = heard
    assert (said["subject"], said["count"], said["reason"]) == ("", 6, "incident")
    assert set(Revocation.objects.values_list("batch", flat=True)) == {said["batch"]}


@pytest.mark.parametrize("effect", ["session", "access"])
def test_rows_are_made_for_users_who_never_signed_in(users: QuerySet[Any], effect: str) -> None:
    """Or a sign-in that was under way would start from nothing."""
    api.revoke_users(users, effect=effect)
    versions = dict(UserTokenState.objects.values_list("pk", "version"))
    for entry in Revocation.objects.all():
        assert versions[int(entry.subject)] == entry.version
    assert {Device(user).standing for user in users} == {"live"}


def test_every_revocation_raises_the_version_the_log_holds(users: QuerySet[Any]) -> None:
    """Replicas go by the log: it must say the version that the state has."""
    user = users[0]
    for _ in range(3):
        api.revoke_users(users.filter(pk=user.pk))
    versions = list(
        Revocation.objects.filter(subject=str(user.pk))
        .order_by("pk")
        .values_list("version", flat=True)
    )
    assert versions == sorted(set(versions))
    assert UserTokenState.objects.get(pk=user.pk).version == versions[-1]


def test_a_version_ahead_of_the_clock_is_raised_all_the_same(users: QuerySet[Any]) -> None:
    """Invariant 6: a clock stepped back; the floor rises with it, and not beyond it."""
    ahead = log.now_ms() + 10**9
    phone = Device(users[0])
    UserTokenState.objects.update(version=ahead)
    api.revoke_users(users)
    state = UserTokenState.objects.get(pk=users[0].pk)
    assert state.version == state.session_floor == ahead + 1
    assert phone.standing == "revoked"
    assert Device(users[0]).standing == "live"


def test_a_lost_state_row_comes_back_above_the_log(users: QuerySet[Any]) -> None:
    """Invariant 6: the row is gone, the log remembers a version ahead of the clock."""
    api.revoke_users(users)
    ahead = log.now_ms() + 10**9
    Revocation.objects.update(version=ahead)
    UserTokenState.objects.all().delete()
    api.revoke_users(users)
    assert min(UserTokenState.objects.values_list("version", flat=True)) > ahead


@pytest.mark.parametrize(
    ("choose", "expected"),
    [
        (lambda users: users.order_by("-username")[:2], {"user5", "user4"}),
        (lambda users: users.order_by("username")[1:3], {"user1", "user2"}),
        (lambda users: users.order_by("date_joined").filter(username="user1"), {"user1"}),
        (lambda users: users.filter(username__lt="user2").distinct(), {"user0", "user1"}),
        (
            # Unordered: SQLite takes no ordered part of a union, here or anywhere.
            lambda users: (
                users.order_by()
                .filter(username="user0")
                .union(users.order_by().filter(username="user3"))
            ),
            {"user0", "user3"},
        ),
        (lambda users: users.filter(username="user0").only("username"), {"user0"}),
        (lambda users: users.select_related("jwt_revoke_state")[:1], {"user0"}),
        (lambda users: users.filter(username="user0").values("username"), {"user0"}),
    ],
    ids=["sliced", "offset", "ordered", "distinct", "union", "only", "related", "values"],
)
def test_any_queryset_of_users_will_do(
    users: QuerySet[Any], choose: Any, expected: set[str]
) -> None:
    assert api.revoke_users(choose(users)) == len(expected)
    assert revoked_names() == expected


def test_a_join_that_repeats_users_revokes_each_once(users: QuerySet[Any]) -> None:
    groups = [Group.objects.create(name=name) for name in ("editors", "writers")]
    users[0].groups.set(groups)
    Revocation.objects.all().delete()
    assert api.revoke_users(users.filter(groups__in=groups)) == 1
    assert Revocation.objects.count() == 1


def test_a_queryset_that_the_revocation_itself_changes_is_decided_once(
    users: QuerySet[Any],
) -> None:
    """Users with live sessions: none would be left when the sessions' turn comes."""
    for user in users[:3]:
        Device(user)
    live = Q(jwt_revoke_sessions__ended_at=None, jwt_revoke_sessions__isnull=False)
    assert api.revoke_users(users.filter(live)) == 3
    assert DeviceSession.objects.filter(ended_at=None).count() == 0


def test_sessions_that_had_ended_keep_their_end(users: QuerySet[Any]) -> None:
    phone = Device(users[0])
    api.end_session(phone.session_id, reason="logout")
    api.revoke_users(users, reason="incident")
    assert phone.device_session.end_reason == "logout"


def test_sessions_of_a_queryset_are_ended_in_one_batch(users: QuerySet[Any]) -> None:
    """s33, many at once; those that had ended are not counted again."""
    phones = [Device(user) for user in users]
    api.end_session(phones[0].session_id)
    count = revoke_sessions("default", DeviceSession.objects.all(), Cause("test"))
    assert count == 5
    assert {phone.standing for phone in phones} == {"revoked"}
    assert Revocation.objects.filter(reason="test", scope="session").count() == 5


def test_ending_no_session_is_no_batch(db: None) -> None:
    assert revoke_sessions("default", DeviceSession.objects.all(), Cause("test")) == 0
    assert Revocation.objects.count() == 0


def test_sessions_may_be_sliced(users: QuerySet[Any]) -> None:
    for user in users:
        Device(user)
    newest = DeviceSession.objects.order_by("-created_at")[:2]
    assert revoke_sessions("default", newest, Cause("test")) == 2
    assert DeviceSession.objects.filter(ended_at=None).count() == 4


def test_300_sessions_take_as_many_statements_as_3(db: None) -> None:
    """Invariant 8."""
    counts = []
    for users in (crowd(2), crowd(150, first=2)):
        sessions = DeviceSession.objects.filter(user__in=users)
        with CaptureQueriesContext(connection) as captured:
            revoke_sessions("default", sessions, Cause("test"))
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_users_who_never_signed_in_get_an_opaque_id_each(users: QuerySet[Any]) -> None:
    """s12: the database makes it, as unlike for each, and as Django reads and asks for it."""
    api.revoke_users(users)
    subjects = set(UserTokenState.objects.values_list("subject", flat=True))
    assert len(subjects) == len(users) == 6
    for subject in subjects:
        assert UserTokenState.objects.filter(subject=subject).count() == 1
