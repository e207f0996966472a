"""Revocations at the same moment: no deadlock reaches anybody, no version goes back."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction

from jwt_revoke import api
from jwt_revoke.models import Generation, Revocation, UserTokenState
from jwt_revoke.testing import Device
from tests.conftest import make_user
from tests.races.together import is_busy, together

pytestmark = [pytest.mark.races, pytest.mark.database, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def crowd(transactional_db: Any) -> list[Any]:
    """Users of whom every other one has signed in before."""
    users = [make_user(f"user{number}") for number in range(40)]
    for user in users[::2]:
        Device(user)
    return users


def assert_versions_rose(users: list[Any], revocations: int) -> None:
    """Each revocation of a user has a version of its own, and the state has the highest."""
    for user in users:
        versions = list(
            Revocation.objects.filter(scope="user", subject=str(user.pk)).values_list(
                "version", flat=True
            )
        )
        assert max(Counter(versions).values()) == 1
        assert len(versions) <= revocations
        state = UserTokenState.objects.get(pk=user.pk)
        assert state.version == state.session_floor == max(versions)


def test_bulk_revocations_in_opposite_order_and_single_ones_all_succeed(crowd: list[Any]) -> None:
    """Overlapping users, locked in one order whatever the order of the querysets."""
    users = get_user_model().objects
    keys = [user.pk for user in crowd]
    for _ in range(3):
        answers = together(
            lambda: api.revoke_users(users.filter(pk__in=keys[:30]).order_by("pk")),
            lambda: api.revoke_users(users.filter(pk__in=keys[10:]).order_by("-pk")),
            lambda: api.revoke_users(users.filter(pk__in=keys[5:35]).order_by("-username")),
            lambda: [api.revoke_user(key) for key in reversed(keys)],
            lambda: [api.revoke_user(key) for key in keys[::3]],
        )
        assert not all(map(is_busy, answers))  # SQLite's one writer may be any of them
        assert all(isinstance(answer, int | list) or is_busy(answer) for answer in answers)
    assert_versions_rose(crowd, 15)


def test_role_changes_of_overlapping_groups_meet_no_deadlock(crowd: list[Any]) -> None:
    """In the site's own transactions, where nothing can be tried again."""
    groups = [Group.objects.create(name=name) for name in ("editors", "writers")]
    for user in crowd:
        user.groups.set(groups)
    answers = together(*[group.permissions.clear for group in groups])
    assert [answer for answer in answers if answer is not None and not is_busy(answer)] == []


def test_first_revocations_of_overlapping_users_all_succeed(crowd: list[Any]) -> None:
    """Both make the missing states. (MariaDB may have one of them begin anew.)"""
    users = get_user_model().objects
    UserTokenState.objects.all().delete()
    answers = together(
        lambda: api.revoke_users(users.order_by("pk")),
        lambda: api.revoke_users(users.order_by("-pk")),
    )
    assert [answer for answer in answers if answer != len(crowd) and not is_busy(answer)] == []
    assert UserTokenState.objects.count() == len(crowd)


def test_first_revocations_of_one_user_at_once_each_get_a_version(user: Any) -> None:
    """The state row is made once, and every call raises it."""
    answers = together(*[lambda: api.revoke_user(user)] * 8)
    versions = [answer for answer in answers if not is_busy(answer)]
    assert len(set(versions)) == len(versions) > 0
    assert UserTokenState.objects.get(pk=user.pk).version == max(versions)


def test_red_buttons_at_once_each_get_a_generation(transactional_db: Any) -> None:
    """The one row is made once, and every call raises it."""
    answers = together(*[api.revoke_everyone] * 8)
    generations = [answer for answer in answers if not is_busy(answer)]
    assert len(set(generations)) == len(generations) > 0
    assert Generation.objects.get().value == max(generations)


def test_a_session_ended_by_many_at_once_is_ended_once(user: Any) -> None:
    """One entry in the log, and one of them is told that it was theirs."""
    phone = Device(user)
    answers = together(*[lambda: api.end_session(phone.session_id)] * 6)
    assert [answer for answer in answers if not is_busy(answer)].count(True) == 1
    assert Revocation.objects.filter(scope="session").count() == 1


def test_log_out_everywhere_beside_sign_outs_of_each_device(user: Any) -> None:
    """State before session in one, session alone in the others: no deadlock, all ended."""
    devices = [Device(user) for _ in range(6)]
    *ended, version = together(
        *[lambda device=device: api.end_session(device.session_id) for device in devices],
        lambda: api.revoke_user(user),
    )
    assert isinstance(version, int)
    assert all(isinstance(answer, bool) or is_busy(answer) for answer in ended)
    assert {device.standing for device in devices} == {"revoked"}


def test_a_revocation_in_an_open_transaction_makes_others_wait_and_is_not_lost(user: Any) -> None:
    """Two transactions of the site's raise one version one after the other."""
    Device(user)

    def revoke() -> int:
        with transaction.atomic():
            return api.revoke_user(user)

    answers = together(revoke, revoke, revoke)
    versions = [answer for answer in answers if not is_busy(answer)]
    assert len(set(versions)) == len(versions) > 0
    assert UserTokenState.objects.get(pk=user.pk).version == max(versions)
