"""s26: tokens die by themselves on log-out, on a change of password, role or permission, on
suspension and on deletion, each with its reason and effect in the log.
"""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission

from jwt_revoke.models import Revocation
from tests.conftest import PASSWORD, make_user
from tests.strategies.over_http import AUTH, Phone, log

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(user):
    return Phone()


@pytest.fixture
def editors(user):
    """A group that ``user`` is in."""
    group = Group.objects.create(name="editors")
    user.groups.add(group)
    return group


@pytest.fixture
def may_add(user):
    """A permission that ``user`` has by themselves."""
    permission = Permission.objects.order_by("pk").first()
    user.user_permissions.add(permission)
    return permission


def members(group):
    """The way back from a group, whatever the user model calls it."""
    field = get_user_model()._meta.get_field("groups")
    return getattr(group, field.remote_field.get_accessor_name())


def holders(permission):
    field = get_user_model()._meta.get_field("user_permissions")
    return getattr(permission, field.remote_field.get_accessor_name())


def assert_role_changed(phone):
    """The access token is dead, the device refreshes silently, and the log says why."""
    assert log() == [("user", "role_changed", "access")]
    assert phone.standing() == "stale"
    assert phone.may_renew()
    assert phone.standing() == "live"


def test_log_out(user, phone):
    phone.post(AUTH + "logout/")
    assert phone.standing() == "revoked"
    assert log() == [("session", "logout", "session")]


def test_change_of_password(user, phone):
    user.set_password("another one")
    user.save()
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
    assert log() == [("user", "password_changed", "session")]


def test_suspension(user, phone):
    user.is_active = False
    user.save()
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
    assert log() == [("user", "suspended", "session")]


def test_suspension_lifted_revives_nothing(user, phone):
    """Invariant 6."""
    user.is_active = False
    user.save()
    user.is_active = True
    user.save()
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
    assert len(log()) == 1


def test_suspension_by_queryset_update(user, phone):
    get_user_model().objects.update(is_active=False)
    assert phone.standing() == "stale"
    assert not phone.may_renew()
    assert log() == [("user", "suspended", "session")]


def test_suspension_by_bulk_update(user, phone):
    user.is_active = False
    get_user_model().objects.bulk_update([user], ["is_active"])
    assert phone.standing() == "stale"
    assert not phone.may_renew()


def test_deletion(user, phone):
    user.delete()
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
    assert log() == [("user", "deleted", "session")]


def test_deletion_by_queryset(user, phone):
    get_user_model().objects.all().delete()
    assert phone.standing() == "revoked"
    assert log() == [("user", "deleted", "session")]


def test_account_recreated_with_the_same_key_revives_nothing(user, phone):
    """Invariant 6."""
    key = user.pk
    user.delete()
    make_user("alice", pk=key)
    assert phone.standing() == "revoked"
    assert not phone.may_renew()
    phone.sign_in()
    assert phone.standing() == "live"


def test_staff_status(user, phone):
    user.is_staff = True
    user.save()
    assert_role_changed(phone)


def test_superuser_status(user, phone):
    user.is_superuser = True
    user.save(update_fields=["is_superuser"])
    assert_role_changed(phone)


def test_field_of_the_sites_own(user, settings, phone):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "WATCHED_FIELDS": ["role"]}
    Phone(device="laptop")  # another sign-in takes the fingerprint over the new list of fields
    Revocation.objects.all().delete()
    phone.renew()
    user.role = "editor"
    user.save()
    assert_role_changed(phone)


def test_field_that_nobody_watches(user, phone):
    user.role = "editor"
    user.first_name = "Alice"
    user.save()
    assert phone.standing() == "live"
    assert log() == []


def test_group_joined(user, phone):
    user.groups.add(Group.objects.create(name="editors"))
    assert_role_changed(phone)


def test_group_left(user, editors):
    phone = joined(user)
    user.groups.remove(editors)
    assert_role_changed(phone)


def test_all_groups_left(user, editors):
    phone = joined(user)
    user.groups.clear()
    assert_role_changed(phone)


def test_groups_set_to_others(user, editors):
    phone = joined(user)
    user.groups.set([Group.objects.create(name="authors")])
    assert phone.standing() == "stale"
    assert {entry[1:] for entry in log()} == {("role_changed", "access")}


def test_groups_set_to_what_they_are(user, editors):
    phone = joined(user)
    user.groups.set([editors])
    user.groups.add(editors)
    assert phone.standing() == "live"
    assert log() == []


def test_group_that_takes_a_member_in(user, phone):
    members(Group.objects.create(name="editors")).add(user)
    assert_role_changed(phone)


def test_group_that_puts_a_member_out(user, editors):
    phone = joined(user)
    members(editors).remove(user)
    assert_role_changed(phone)


def test_group_that_is_emptied(user, editors):
    phone = joined(user)
    members(editors).clear()
    assert_role_changed(phone)


def test_group_whose_members_are_replaced(user, editors):
    phone = joined(user)
    members(editors).set([make_user("bob")])
    assert phone.standing() == "stale"


def test_group_that_is_deleted(user, editors):
    phone = joined(user)
    editors.delete()
    assert_role_changed(phone)


def test_group_deleted_by_queryset(user, editors):
    phone = joined(user)
    Group.objects.all().delete()
    assert_role_changed(phone)


def test_group_that_gets_a_permission(user, editors):
    phone = joined(user)
    editors.permissions.add(Permission.objects.first())
    assert_role_changed(phone)


def test_group_that_loses_a_permission(user, editors):
    permission = Permission.objects.first()
    editors.permissions.add(permission)
    phone = joined(user)
    editors.permissions.remove(permission)
    assert_role_changed(phone)


def test_group_that_loses_all_permissions(user, editors):
    editors.permissions.add(Permission.objects.first())
    phone = joined(user)
    editors.permissions.clear()
    assert_role_changed(phone)


def test_permission_that_is_given_to_a_group(user, editors):
    phone = joined(user)
    Permission.objects.first().group_set.add(editors)
    assert_role_changed(phone)


def test_permission_that_is_taken_from_a_group(user, editors):
    permission = Permission.objects.first()
    editors.permissions.add(permission)
    phone = joined(user)
    permission.group_set.remove(editors)
    assert_role_changed(phone)


def test_permission_that_is_taken_from_all_groups(user, editors):
    permission = Permission.objects.first()
    editors.permissions.add(permission)
    phone = joined(user)
    permission.group_set.clear()
    assert_role_changed(phone)


def test_permission_of_a_group_that_is_deleted(user, editors):
    permission = Permission.objects.first()
    editors.permissions.add(permission)
    phone = joined(user)
    permission.delete()
    assert_role_changed(phone)


def test_permission_given(user, phone):
    user.user_permissions.add(Permission.objects.first())
    assert_role_changed(phone)


def test_permission_taken(user, may_add):
    phone = joined(user)
    user.user_permissions.remove(may_add)
    assert_role_changed(phone)


def test_all_permissions_taken(user, may_add):
    phone = joined(user)
    user.user_permissions.clear()
    assert_role_changed(phone)


def test_permissions_set_to_others(user, may_add):
    phone = joined(user)
    user.user_permissions.set([Permission.objects.order_by("pk").last()])
    assert phone.standing() == "stale"


def test_permission_that_takes_a_holder_in(user, phone):
    holders(Permission.objects.first()).add(user)
    assert_role_changed(phone)


def test_permission_that_loses_a_holder(user, may_add):
    phone = joined(user)
    holders(may_add).remove(user)
    assert_role_changed(phone)


def test_permission_that_loses_all_holders(user, may_add):
    phone = joined(user)
    holders(may_add).clear()
    assert_role_changed(phone)


def test_permission_that_is_deleted(user, may_add):
    phone = joined(user)
    may_add.delete()
    assert_role_changed(phone)


@pytest.mark.parametrize("change", ["join", "permission", "delete"])
def test_role_of_somebody_else(user, editors, change):
    """Only those whose role it is refresh."""
    make_user("bob")
    phone = Phone("bob")
    if change == "join":
        user.groups.add(Group.objects.create(name="authors"))
    elif change == "permission":
        editors.permissions.add(Permission.objects.first())
    else:
        editors.delete()
    assert phone.standing() == "live"


@pytest.mark.database
def test_role_of_many_costs_the_same_number_of_statements(
    user, editors, django_assert_num_queries, django_assert_max_num_queries
):
    """Invariant 8."""
    permissions = iter(Permission.objects.all())
    editors.permissions.add(next(permissions))
    with django_assert_max_num_queries(20) as few:
        editors.permissions.add(next(permissions))
    members(editors).set([user, *(make_user(f"user{number}") for number in range(10))])
    with django_assert_num_queries(len(few)):
        editors.permissions.add(next(permissions))


def test_request_that_changes_a_password_names_its_user_in_the_log(user, phone):
    phone.post(AUTH + "password/change/", {"old_password": PASSWORD, "new_password": "x7!kQ0pLm"})
    assert Revocation.objects.get().actor == str(user.pk)


def joined(user):
    """A device that signs in now, and a log that starts here."""
    phone = Phone(user.get_username())
    Revocation.objects.all().delete()
    return phone
