"""What holds for every user model: run once for each, by TEST_USER_MODEL."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.test import Client
from rest_framework.test import APIClient

from jwt_revoke import api
from jwt_revoke.models import DeviceSession, Revocation, UserTokenState
from jwt_revoke.settling import settle
from jwt_revoke.testing import Device
from tests.conftest import PASSWORD, make_user

USER = get_user_model()


def has(name: str) -> bool:
    """Whether the user model has that column or relation."""
    try:
        field = USER._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return bool(field.concrete or field.many_to_many)


needs_is_active = pytest.mark.skipif(not has("is_active"), reason="the model has no is_active")
needs_groups = pytest.mark.skipif(not has("groups"), reason="the model has no groups")


def relatives() -> list[type[Model]]:
    """The models whose rows are this user's too: itself, what it extends, what it stands for."""
    parents = [*USER._meta.get_parent_list()]
    concrete = USER._meta.concrete_model
    return list(dict.fromkeys([USER, concrete, *parents]))


def credentials(password: str = PASSWORD) -> dict[str, str]:
    return {USER.USERNAME_FIELD: "alice", "password": password}


def through_of(relation: str) -> Any:
    return getattr(USER, relation).through


@pytest.fixture
def signed_in(user: Any, anonymous: APIClient) -> dict[str, Any]:
    """The answer to a sign-in over HTTP."""
    answer = anonymous.post("/api/auth/token/", credentials())
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
def client(signed_in: dict[str, Any]) -> APIClient:
    """What sends that access token with each request."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {signed_in['access']}")
    return client


def ping(client: APIClient) -> int:
    return int(client.get("/api/ping/").status_code)


def test_a_signed_in_user_is_let_in_as_themselves(client: APIClient, user: Any) -> None:
    assert ping(client) == 200
    assert client.get("/api/me/").json() == {"id": str(user.pk), "username": "alice"}


def test_a_wrong_password_is_401(user: Any, anonymous: APIClient) -> None:
    answer = anonymous.post("/api/auth/token/", credentials("wrong"))
    assert answer.status_code == 401


def test_a_refresh_gives_a_token_that_opens(signed_in: dict[str, Any]) -> None:
    answer = APIClient().post("/api/auth/token/refresh/", {"refresh": signed_in["refresh"]})
    assert answer.status_code == 200
    assert not api.is_revoked(answer.json()["access"])


def test_a_log_out_ends_it(client: APIClient) -> None:
    assert client.post("/api/auth/logout/").status_code == 204
    assert ping(client) == 401


def test_a_log_out_everywhere_ends_every_device(client: APIClient, phone: Device) -> None:
    assert client.post("/api/auth/logout/all/").status_code == 204
    assert ping(client) == 401
    assert phone.standing == "revoked"


def test_sessions_are_listed_and_ended(client: APIClient, phone: Device) -> None:
    listed = client.get("/api/auth/sessions/").json()
    assert sorted(session["current"] for session in listed) == [False, True]
    assert client.delete(f"/api/auth/sessions/{phone.session_id}/").status_code == 204
    assert phone.standing == "revoked"
    assert ping(client) == 200


def test_the_devices_page_goes_by_a_session_of_django_s(user: Any, phone: Device) -> None:
    browser = Client()
    browser.force_login(user)
    url = f"/account/devices/{phone.session_id}/end/"
    assert browser.post(url).status_code == 302
    assert phone.standing == "revoked"
    assert Revocation.objects.get().actor == str(user.pk)


def test_a_user_is_revoked_by_object_and_by_key(user: Any) -> None:
    for who in (user, user.pk):
        phone = Device(user)
        api.revoke_user(who)
        assert phone.standing == "revoked"


def test_a_queryset_of_users_is_revoked_by_sql(user: Any) -> None:
    """Those who have a state, those who never signed in, and nobody else."""
    others = [make_user(f"user{number}") for number in range(4)]
    phone, kept = Device(user), Device(others[0])
    chosen = USER.objects.exclude(pk=others[0].pk)
    assert api.revoke_users(chosen) == 4
    assert (phone.standing, kept.standing) == ("revoked", "live")
    states = {str(state.pk): state.version for state in UserTokenState.objects.all()}
    for entry in Revocation.objects.all():
        assert states[entry.subject] == entry.version
    assert UserTokenState.objects.count() == 5
    assert {Device(other).standing for other in (user, *others)} == {"live"}


def test_effect_access_by_sql_makes_them_refresh(phone: Device) -> None:
    assert api.revoke_users(USER.objects.all(), effect="access") == 1
    assert phone.standing == "stale"
    phone.refresh_tokens()
    assert phone.standing == "live"


def test_a_password_change_over_http_keeps_this_device_alone(
    client: APIClient, phone: Device
) -> None:
    body = {"old_password": PASSWORD, "new_password": "quite another one"}
    answer = client.post("/api/auth/password/change/", body)
    assert answer.status_code == 200
    assert not api.is_revoked(answer.json()["access"])
    assert ping(client) == 401
    assert phone.standing == "revoked"


@pytest.mark.parametrize("model", relatives(), ids=lambda model: model.__name__)
def test_a_password_saved_through_any_model_of_the_row_ends_the_sessions(
    phone: Device, user: Any, model: type[Model]
) -> None:
    found: Any = model._default_manager.get(pk=user.pk)
    found.set_password("another")
    found.save()
    assert phone.standing == "revoked"
    assert Revocation.objects.get().reason == "password_changed"


def test_a_password_changed_by_update_is_refused_and_recorded_later(
    phone: Device, user: Any
) -> None:
    USER.objects.filter(pk=user.pk).update(password=make_password("another"))
    assert phone.standing == "stale"
    settle("default", user.pk)
    assert phone.standing == "revoked"


@needs_is_active
def test_a_suspension_by_update_is_refused_and_recorded_later(phone: Device, user: Any) -> None:
    USER.objects.filter(pk=user.pk).update(is_active=False)
    assert phone.standing == "stale"
    settle("default", user.pk)
    USER.objects.filter(pk=user.pk).update(is_active=True)
    assert phone.standing == "revoked"


@needs_is_active
def test_a_suspension_by_save_ends_the_sessions(phone: Device, user: Any) -> None:
    user.is_active = False
    user.save(update_fields=["is_active"])
    assert phone.standing == "revoked"


@pytest.mark.parametrize("model", relatives(), ids=lambda model: model.__name__)
def test_deletion_through_any_model_of_the_row_ends_the_sessions(
    phone: Device, user: Any, model: type[Model]
) -> None:
    """Invariant 6: and none of our rows stays but the log's."""
    key = user.pk
    model._default_manager.get(pk=key).delete()
    assert phone.standing == "revoked"
    assert not UserTokenState.objects.exists()
    assert not DeviceSession.objects.exists()
    assert Revocation.objects.get().subject == str(key)


def test_deletion_of_a_queryset_ends_the_sessions(phone: Device) -> None:
    USER.objects.all().delete()
    assert phone.standing == "revoked"
    assert not DeviceSession.objects.exists()


def test_a_key_used_again_stays_dead_for_its_former_user(phone: Device, user: Any) -> None:
    """Invariant 6."""
    key = user.pk
    user.delete()
    again = make_user("somebody", pk=key)
    assert phone.standing == "revoked"
    assert Device(again).standing == "live"
    assert phone.standing == "revoked"


def test_a_hasher_upgrade_at_sign_in_logs_nobody_out(
    phone: Device, anonymous: APIClient, settings: Any
) -> None:
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[::-1]
    assert anonymous.post("/api/auth/token/", credentials()).status_code == 200
    assert USER.objects.get().password.startswith("pbkdf2")
    assert phone.standing == "live"


@needs_groups
@pytest.mark.parametrize(
    "change", ["add", "remove", "set", "clear", "reverse add", "reverse clear"]
)
def test_a_change_of_groups_makes_the_device_refresh(user: Any, change: str) -> None:
    group = Group.objects.create(name="editors")
    if change in {"remove", "clear", "reverse clear"}:
        user.groups.add(group)
    members = getattr(group, USER._meta.get_field("groups").remote_field.get_accessor_name())
    phone = Device(user)
    {
        "add": lambda: user.groups.add(group),
        "remove": lambda: user.groups.remove(group),
        "set": lambda: user.groups.set([group]),
        "clear": user.groups.clear,
        "reverse add": lambda: members.add(user),
        "reverse clear": members.clear,
    }[change]()
    assert phone.standing == "stale"
    phone.refresh_tokens()
    assert phone.standing == "live"


@needs_groups
def test_a_permission_given_to_a_group_makes_its_members_refresh(user: Any) -> None:
    group = Group.objects.create(name="editors")
    user.groups.add(group)
    phone = Device(user)
    group.permissions.add(Permission.objects.all()[0])
    assert phone.standing == "stale"


@needs_groups
def test_a_group_that_is_deleted_makes_its_members_refresh(user: Any) -> None:
    group = Group.objects.create(name="editors")
    user.groups.add(group)
    phone = Device(user)
    group.delete()
    assert phone.standing == "stale"


@needs_groups
def test_a_permission_of_the_user_s_own_makes_the_device_refresh(phone: Device, user: Any) -> None:
    user.user_permissions.add(Permission.objects.all()[0])
    assert phone.standing == "stale"


@needs_groups
@pytest.mark.skipif(
    not has("groups") or through_of("groups")._meta.auto_created,
    reason="the model's groups have no through model of the site's own",
)
def test_a_row_of_the_site_s_own_through_model_counts_as_a_change(user: Any) -> None:
    """Saved and deleted directly it sends no ``m2m_changed``."""
    group = Group.objects.create(name="editors")
    phone = Device(user)
    membership = through_of("groups").objects.create(member=user, group=group)
    assert phone.standing == "stale"
    phone.refresh_tokens()
    membership.delete()
    assert phone.standing == "stale"


@pytest.mark.skipif(has("is_active") or has("groups"), reason="the model has both")
def test_a_model_without_is_active_and_groups_has_only_active_users(phone: Device) -> None:
    assert phone.standing == "live"
    assert UserTokenState.objects.get().account_fingerprint.startswith("a")


def test_what_has_not_changed_settles_to_nothing(phone: Device, user: Any) -> None:
    """The fingerprint of a row just read is that of the row signed in with."""
    USER.objects.get(pk=user.pk).save()
    settle("default", user.pk)
    assert Revocation.objects.count() == 0
    assert phone.standing == "live"
