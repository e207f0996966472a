"""What an administrator does to accounts with Django's own forms revokes, in their name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.test import Client

from jwt_revoke.models import DeviceSession, Revocation
from jwt_revoke.testing import Device
from tests.admin.conftest import change_page, list_page

DELETE_USERS = "accounts.delete_member"


def form_of(page: Any) -> dict[str, Any]:
    """What the change form would post unchanged."""
    form = page.context["adminform"].form
    data: dict[str, Any] = {}
    for name in form.fields:
        value = form[name].value()
        if name == "password" or value is None or value is False:
            continue
        if hasattr(value, "strftime"):
            data[f"{name}_0"], data[f"{name}_1"] = f"{value:%Y-%m-%d}", f"{value:%H:%M:%S}"
        else:
            data[name] = "on" if value is True else value
    return data


def save(client: Client, user: Any, **changes: Any) -> None:
    data = form_of(client.get(change_page(user))) | changes
    response = client.post(change_page(user), {k: v for k, v in data.items() if v is not None})
    assert response.status_code == 302, response.context["errors"]


def the_entry(user: Any) -> Revocation:
    return Revocation.objects.get(scope="user", subject=str(user.pk))


def test_a_role_given_by_the_form_names_the_admin(
    admin: Client, boss: Any, user: Any, phone: Device
) -> None:
    save(admin, user, is_staff="on")

    entry = the_entry(user)
    assert (entry.reason, entry.actor) == ("role_changed", str(boss.pk))
    assert phone.standing == "stale"


def test_a_group_given_by_the_form_names_the_admin(
    admin: Client, boss: Any, user: Any, phone: Device
) -> None:
    group = Group.objects.create(name="editors")

    save(admin, user, groups=[group.pk])

    entry = the_entry(user)
    assert (entry.reason, entry.actor) == ("role_changed", str(boss.pk))


def test_a_suspension_by_the_form_names_the_admin(
    admin: Client, boss: Any, user: Any, phone: Device
) -> None:
    save(admin, user, is_active=None)

    entry = the_entry(user)
    assert (entry.reason, entry.actor) == ("suspended", str(boss.pk))
    assert phone.standing == "revoked"


def test_a_password_set_by_the_admin_names_the_admin(
    admin: Client, boss: Any, user: Any, phone: Device
) -> None:
    new = {"password1": "another horse battery", "password2": "another horse battery"}

    admin.post(f"/admin/accounts/member/{user.pk}/password/", {**new, "usable_password": "true"})

    entry = the_entry(user)
    assert (entry.reason, entry.actor) == ("password_changed", str(boss.pk))
    assert phone.standing == "revoked"


def test_saving_the_form_unchanged_revokes_nothing(admin: Client, user: Any, phone: Device) -> None:
    save(admin, user)

    assert phone.standing == "live"


def test_after_the_request_nobody_is_named(admin: Client, user: Any, phone: Device) -> None:
    save(admin, user, first_name="Alice")
    user.refresh_from_db()
    user.is_staff = True
    user.save()

    assert the_entry(user).actor == ""


def test_deleting_a_user_names_the_admin(
    admin: Client, boss: Any, user: Any, phone: Device
) -> None:
    admin.post(f"/admin/accounts/member/{user.pk}/delete/", {"post": "yes"})

    entry = the_entry(user)
    assert (entry.reason, entry.actor) == ("deleted", str(boss.pk))
    assert phone.standing == "revoked"


def test_staff_delete_a_user_with_sessions_with_that_permission_alone(
    staff: Callable[..., Client], user: Any, phone: Device, laptop: Device
) -> None:
    client = staff(DELETE_USERS, "accounts.view_member")
    page = client.get(f"/admin/accounts/member/{user.pk}/delete/").content.decode()
    assert "permission to delete the following" not in page

    client.post(f"/admin/accounts/member/{user.pk}/delete/", {"post": "yes"})

    assert not get_user_model().objects.filter(pk=user.pk).exists()
    assert not DeviceSession.objects.filter(user_id=user.pk).exists()
    assert [phone.standing, laptop.standing] == ["revoked", "revoked"]


def test_staff_delete_selected_users_with_that_permission_alone(
    staff: Callable[..., Client], user: Any, phone: Device
) -> None:
    data = {"action": "delete_selected", "_selected_action": [user.pk], "post": "yes"}

    staff(DELETE_USERS, "accounts.view_member").post(list_page(), data)

    assert not get_user_model().objects.filter(pk=user.pk).exists()
    assert phone.standing == "revoked"


def test_deleting_a_group_changes_its_members_role(admin: Client, boss: Any, user: Any) -> None:
    group = Group.objects.create(name="editors")
    user.groups.add(group)
    phone = Device(user)
    Revocation.objects.all().delete()

    admin.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"})

    entry = the_entry(user)
    assert (entry.reason, entry.actor) == ("role_changed", str(boss.pk))
    assert phone.standing == "stale"


@pytest.mark.parametrize("page", ["delete/", "change/"])
def test_looking_at_a_form_revokes_nothing(
    admin: Client, user: Any, phone: Device, page: str
) -> None:
    assert admin.get(f"/admin/accounts/member/{user.pk}/{page}").status_code == 200

    assert phone.standing == "live"
