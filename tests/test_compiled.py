"""What is read at each check, sign-in and refresh is written by the ORM once."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.db.models import CharField, QuerySet, Value

from jwt_revoke.compiled import Compiled
from jwt_revoke.exceptions import SignInRefused
from jwt_revoke.minting import session_facts, settled_account
from jwt_revoke.testing import Device


def users(using: str, name: Any) -> QuerySet[Any]:
    rows: QuerySet[Any] = (
        get_user_model()
        ._default_manager.using(using)
        .annotate(jwt_revoke_said=Value("yes", output_field=CharField()))
    )
    return rows.filter(**{get_user_model().USERNAME_FIELD: name})


pytestmark = pytest.mark.database


@pytest.fixture
def named() -> Compiled:
    return Compiled(get_user_model(), users, {"name": CharField()})


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A name for each time that something was compiled."""
    times: list[str] = []
    original = Compiled._compile

    def counting(self: Compiled, using: str, wrapper: Any) -> Any:
        times.append(using)
        return original(self, using, wrapper)

    monkeypatch.setattr(Compiled, "_compile", counting)
    return times


def test_a_statement_is_compiled_once(named: Compiled, user: Any, compiled: list[str]) -> None:
    for _ in range(3):
        found = named.first("default", name=user.get_username())
        assert found is not None
        assert (found[0], *found[1]) == (user, "yes")
    assert named.first("default", name="nobody") is None
    assert compiled == ["default"]


def test_a_connection_with_another_zone_has_a_statement_of_its_own(
    named: Compiled, user: Any, compiled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How MariaDB is asked for the time depends on it."""
    named.first("default", name=user.get_username())
    monkeypatch.setitem(connections["default"].__dict__, "timezone_name", "Asia/Tokyo")
    named.first("default", name=user.get_username())
    assert len(compiled) == 2


def test_how_times_are_read_is_compiled_anew_for_another_use_tz(
    user: Any, compiled: list[str], settings: Any
) -> None:
    settled_account("default", user.pk)
    del compiled[:]
    settings.USE_TZ = False
    settled_account("default", user.pk)
    assert compiled == ["default"]


def test_a_sign_in_and_a_refresh_compile_nothing_after_the_first(
    user: Any, compiled: list[str]
) -> None:
    Device(user).refresh_tokens()
    del compiled[:]
    Device(user).refresh_tokens()
    assert compiled == []


class Shown(type(get_user_model()._default_manager)):  # type: ignore[misc]  (whose manager is the site's)
    """A tenant's manager: whom it shows changes with every request. It annotates, too."""

    who: Any = None

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset().filter(pk=self.who)
        return rows.annotate(tenant=Value(7))


def test_a_manager_with_a_queryset_of_its_own_is_asked_each_time(
    phone: Device, user: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    manager = Shown()
    manager.model, manager.name, manager.who = type(user), "shown", user.pk
    monkeypatch.setitem(type(user)._meta.__dict__, "default_manager", manager)
    account = settled_account("default", user.pk)
    facts, session, _now = session_facts("default", phone.session_id)
    assert account.user == facts.user == user
    assert session.pk == phone.session_id
    for found in (account.user, facts.user):
        assert vars(found)["tenant"] == 7
        assert not [name for name in vars(found) if name.startswith("jwt_revoke_")]
    manager.who = None
    with pytest.raises(SignInRefused):
        settled_account("default", user.pk)
