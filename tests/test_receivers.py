"""Changes to accounts, and what is no change. Each event over HTTP is in tests/strategies (s26)."""

from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.core import serializers
from django.db import connection
from django.db.models.signals import m2m_changed, post_save, pre_delete
from django.test import Client

from jwt_revoke import receivers
from jwt_revoke.exceptions import SignInRefused
from jwt_revoke.models import DeviceSession, Revocation, UserTokenState
from jwt_revoke.testing import Device
from tests.accounts.models import Account, Bare, Customer, Member, Person, ProxyMember
from tests.conftest import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def log():
    return list(Revocation.objects.order_by("pk").values_list("reason", "effect"))


def encoded(user):
    return get_user_model()._default_manager.values_list("password", flat=True).get(pk=user.pk)


def again(user):
    """The same account as another request reads it."""
    return get_user_model()._default_manager.get(pk=user.pk)


@pytest.fixture
def upgrade(settings):
    """From now on another hasher comes first: the next check of a password upgrades its hash."""
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[::-1]


@pytest.fixture
def revoke_on(settings):
    def set_effects(**effects):
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REVOKE_ON": effects}

    return set_effects


# A hasher upgrade


def test_hasher_upgrade_revokes_nothing(user, phone, upgrade):
    before = encoded(user)
    assert again(user).check_password(PASSWORD)
    assert encoded(user) != before
    assert phone.standing == "live"
    assert log() == []


def test_hasher_upgrade_of_async_code_revokes_nothing(user, phone, upgrade):
    before = encoded(user)
    assert async_to_sync(again(user).acheck_password)(PASSWORD)
    assert encoded(user) != before
    assert phone.standing == "live"
    assert log() == []


def test_hasher_upgrade_lets_the_device_refresh(user, phone, upgrade):
    again(user).check_password(PASSWORD)
    phone.refresh_tokens()
    assert phone.standing == "live"
    assert log() == []


def test_hasher_upgrade_does_not_undo_a_change_of_password_made_meanwhile(user, phone, upgrade):
    """The upgrade read the old hash, and writes after another request changed the password."""
    slow = again(user)
    fast = again(user)
    fast.set_password("changed by another request")
    fast.save()
    assert not slow.check_password(PASSWORD)
    assert again(user).check_password("changed by another request")
    assert not again(user).check_password(PASSWORD)
    assert log() == [("password_changed", "session")]


def test_who_lost_that_race_is_not_signed_in(user, upgrade):
    slow = again(user)
    fast = again(user)
    fast.set_password("changed by another request")
    fast.save()
    slow.check_password(PASSWORD)
    with pytest.raises(SignInRefused):
        Device(slow)


BY_EITHER = pytest.mark.parametrize(
    "is_password_of",
    [
        lambda user: user.check_password(PASSWORD),
        lambda user: async_to_sync(user.acheck_password)(PASSWORD),
    ],
    ids=["sync", "async"],
)


@BY_EITHER
def test_who_lost_it_to_an_upgrade_has_the_right_password(user, phone, upgrade, is_password_of):
    """Two sign-ins with the same password, and each would save a hash of its own."""
    slow = again(user)
    assert again(user).check_password(PASSWORD)
    assert is_password_of(slow)
    assert slow.password == encoded(user)
    assert Device(slow).standing == phone.standing == "live"


@BY_EITHER
def test_who_was_deleted_meanwhile_keeps_what_was_verified(user, upgrade, is_password_of):
    """There is no row to tell; the sign-in finds that out, as it does without an upgrade."""
    slow = again(user)
    again(user).delete()
    assert is_password_of(slow)
    with pytest.raises(SignInRefused):
        Device(slow)


def test_hasher_upgrade_does_not_hide_a_change_that_nobody_saw_yet(user, phone, upgrade):
    """The fingerprint moves only where it was that of the upgraded hash."""
    get_user_model()._default_manager.update(password=make_password("by raw SQL", hasher="md5"))
    assert again(user).check_password("by raw SQL")
    assert phone.standing != "live"
    again(user).save()
    assert log() == [("password_changed", "session")]


def test_wrong_password_upgrades_nothing(user, phone, upgrade):
    before = encoded(user)
    assert not again(user).check_password("guess")
    assert encoded(user) == before
    assert phone.standing == "live"


def test_save_after_a_check_is_an_ordinary_one(user, phone):
    account = again(user)
    account.check_password(PASSWORD)
    account.password = make_password("another")
    account.save()
    assert phone.standing == "revoked"


def test_check_that_fails_leaves_the_instance_as_it_was(user, monkeypatch):
    def fail(*_arguments, **_options):
        raise RuntimeError

    monkeypatch.setattr("django.contrib.auth.base_user.check_password", fail)
    with pytest.raises(RuntimeError):
        user.check_password(PASSWORD)
    assert "save" not in vars(user)


def test_upgrade_of_a_user_who_is_not_saved_saves_nobody(db, upgrade):
    unsaved = get_user_model()(password=make_password(PASSWORD, hasher="md5"))
    assert unsaved.check_password(PASSWORD)
    assert get_user_model()._default_manager.count() == 0


# Passwords


def test_assigned_password_is_a_change(user, phone):
    user.password = make_password("another")
    user.save()
    assert phone.standing == "revoked"
    assert log() == [("password_changed", "session")]


def test_password_made_unusable_is_a_change(user, phone):
    user.set_unusable_password()
    user.save()
    assert phone.standing == "revoked"


def test_one_unusable_password_for_another_is_no_change(user):
    user.set_unusable_password()
    user.save()
    phone = Device(user)
    Revocation.objects.all().delete()
    user.set_unusable_password()
    user.save()
    assert phone.standing == "live"
    assert log() == []


def test_password_in_update_fields_is_a_change(user, phone):
    user.set_password("another")
    user.save(update_fields=["password"])
    assert phone.standing == "revoked"


def test_password_that_was_not_saved_is_no_change(user, phone):
    """What counts is the row, not the instance."""
    user.set_password("another")
    user.save(update_fields=["first_name"])
    assert phone.standing == "live"
    assert log() == []


def test_stale_instance_that_writes_the_old_password_back_is_a_change(user, phone):
    old = again(user)
    user.set_password("another")
    user.save()
    phone = Device(again(user))
    old.save()
    assert phone.standing == "revoked"


def test_save_that_changes_nothing_revokes_nothing(user, phone):
    again(user).save()
    assert phone.standing == "live"
    assert log() == []


def test_save_of_other_fields_costs_no_statement_of_ours(user, phone, django_assert_num_queries):
    with django_assert_num_queries(1):
        user.save(update_fields=["last_login"])


def test_foreign_key_is_watched_under_its_columns_name_too(settings):
    settings.AUTH_USER_MODEL = "accounts.Customer"
    settings.JWT_REVOKE = {"WATCHED_FIELDS": ["person_ptr"]}
    assert receivers._concerns_us(frozenset({"person_ptr"}))
    assert receivers._concerns_us(frozenset({"person_ptr_id"}))
    assert not receivers._concerns_us(frozenset({"company"}))


def test_account_that_never_signed_in_gets_no_row_by_a_save(user):
    user.set_password("another")
    user.save()
    assert UserTokenState.objects.count() == 0
    assert log() == []


# Several changes at once


def test_one_save_with_several_changes_logs_each(user, phone):
    user.set_password("another")
    user.is_active = False
    user.is_staff = True
    user.save()
    assert sorted(log()) == [
        ("password_changed", "session"),
        ("role_changed", "access"),
        ("suspended", "session"),
    ]
    assert phone.standing == "revoked"


def test_inactive_account_saved_again_is_not_suspended_again(user, phone):
    user.is_active = False
    user.save()
    user.first_name = "Alice"
    user.save()
    assert log() == [("suspended", "session")]


def test_connecting_twice_revokes_once(user, phone):
    receivers.connect()
    user.is_staff = True
    user.save()
    user.groups.add(Group.objects.create(name="editors"))
    assert log() == [("role_changed", "access")] * 2


# What the site's effects are


@pytest.mark.parametrize("effect", ["session", "access", None])
def test_effect_of_a_change_of_password_is_the_sites(user, phone, revoke_on, effect):
    revoke_on(password_changed=effect)
    user.set_password("another")
    user.save()
    assert phone.standing == {"session": "revoked", "access": "stale", None: "live"}[effect]
    assert log() == ([("password_changed", effect)] if effect else [])
    assert UserTokenState.objects.get().last_password_change is not None


@pytest.mark.parametrize("effect", ["session", "access", None])
@pytest.mark.parametrize("change", ["field", "group"])
def test_effect_of_a_change_of_role_is_the_sites(user, phone, revoke_on, effect, change):
    revoke_on(role_changed=effect)
    if change == "field":
        user.is_staff = True
        user.save()
    else:
        user.groups.add(Group.objects.create(name="editors"))
    assert phone.standing == {"session": "revoked", "access": "stale", None: "live"}[effect]
    assert log() == ([("role_changed", effect)] if effect else [])


def test_suspended_account_opens_nothing_even_where_that_revokes_nothing(user, phone, revoke_on):
    revoke_on(suspended=None)
    user.is_active = False
    user.save()
    assert phone.standing == "stale"
    assert log() == []


def test_deleted_account_opens_nothing_even_where_that_revokes_nothing(user, phone, revoke_on):
    revoke_on(deleted=None)
    user.delete()
    assert phone.standing == "revoked"
    assert log() == []


def test_deletion_leaves_no_row_of_ours_but_the_log(user, phone):
    user.delete()
    assert not UserTokenState.objects.exists()
    assert not DeviceSession.objects.exists()
    assert log() == [("deleted", "session")]


def test_deletion_of_an_account_that_never_signed_in_logs_nothing(user):
    user.delete()
    assert log() == []


# Django's own log-out


@pytest.fixture
def browser(user):
    client = Client()
    client.force_login(user)
    return client


def test_djangos_log_out_ends_nothing_by_default(browser, phone):
    browser.logout()
    assert phone.standing == "live"


def test_djangos_log_out_ends_every_session_where_the_site_wants_it(user, browser, phone, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REVOKE_ON_DJANGO_LOGOUT": True}
    browser.logout()
    assert phone.standing == "revoked"
    entry = Revocation.objects.get()
    assert (entry.reason, entry.actor) == ("logout", str(user.pk))


def test_djangos_log_out_of_nobody_is_no_error(phone, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REVOKE_ON_DJANGO_LOGOUT": True}
    Client().logout()
    assert phone.standing == "live"


# Rows that arrive in other ways


def load(fixture):
    for loaded in serializers.deserialize("json", fixture):
        loaded.save()


def test_fixture_loaded_over_the_same_account_revokes_nothing(user, phone):
    load(serializers.serialize("json", [again(user)]))
    assert phone.standing == "live"
    assert log() == []


def test_fixture_that_changes_the_password_revokes(user, phone):
    changed = again(user)
    changed.set_password("another")
    load(serializers.serialize("json", [changed]))
    assert phone.standing == "revoked"


def delete_by_sql(user):
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(get_user_model()._meta.db_table)
        cursor.execute(f"DELETE FROM {table}")


def test_account_deleted_by_sql_opens_nothing(user, phone):
    delete_by_sql(user)
    assert phone.standing == "revoked"


def test_account_recreated_after_a_deletion_that_nobody_saw_revives_nothing(user, phone):
    """Invariant 6."""
    copy = again(user)
    delete_by_sql(user)
    copy._state.adding = True
    copy.save(force_insert=True)
    assert phone.standing == "revoked"
    assert log() == [("deleted", "session")]


def test_account_restored_by_a_fixture_is_the_same_account(user, phone):
    fixture = serializers.serialize("json", [again(user)])
    delete_by_sql(user)
    load(fixture)
    assert phone.standing == "live"
    assert log() == []


def test_replica_of_the_account_in_another_database_is_not_ours(user, phone):
    """A save or a deletion there says nothing of the rows that decide."""
    model = type(user)
    get_user_model()._default_manager.update(is_staff=True)
    unseen = {"instance": user, "using": "archive"}
    post_save.send(model, **unseen, created=False, raw=False, update_fields=None)
    pre_delete.send(model, **unseen, origin=user)
    m2m_changed.send(
        model.groups.through,
        **unseen,
        action="post_add",
        reverse=False,
        model=Group,
        pk_set={1},
    )
    assert log() == []
    assert DeviceSession.objects.exists()


# User models


def test_change_through_a_proxy_is_seen(user, phone):
    proxy = ProxyMember.objects.get(pk=user.pk)
    proxy.is_active = False
    proxy.save()
    assert phone.standing == "revoked"


def test_deletion_through_a_proxy_is_seen(user, phone):
    ProxyMember.objects.get(pk=user.pk).delete()
    assert log() == [("deleted", "session")]


@pytest.mark.parametrize(
    ("saved", "user_model", "path"),
    [
        (Member, Member, "pk"),
        (ProxyMember, Member, "pk"),
        (Member, ProxyMember, "pk"),
        (Customer, Customer, "pk"),
        (Person, Customer, "person_ptr__pk"),
        (Customer, Person, "customer__pk"),
        (Group, Member, None),
        (Bare, Member, None),
        (Account, Member, None),
    ],
)
def test_user_is_found_from_every_row_that_holds_a_part_of_it(saved, user_model, path):
    assert receivers._path_to_user(saved, user_model) == path


def test_model_without_groups_is_not_asked_for_them(user, phone, monkeypatch):
    monkeypatch.setattr(receivers, "_role_relations", set)
    group = Group.objects.create(name="editors")
    permission = Permission.objects.first()
    group.permissions.add(permission)
    group.permissions.clear()
    permission.delete()
    group.delete()
    assert phone.standing == "live"


# Roles


def test_group_without_members_revokes_nothing(user, phone):
    group = Group.objects.create(name="empty")
    group.permissions.add(Permission.objects.first())
    group.delete()
    assert phone.standing == "live"
    assert log() == []


def test_permission_that_a_group_has_already_revokes_nothing(user):
    group = Group.objects.create(name="editors")
    group.permissions.add(Permission.objects.first())
    user.groups.add(group)
    phone = Device(user)
    group.permissions.add(Permission.objects.first())
    assert phone.standing == "live"


def test_member_of_two_groups_is_logged_once_a_change(user):
    groups = [Group.objects.create(name=name) for name in ("one", "two")]
    user.groups.set(groups)
    Revocation.objects.all().delete()
    Permission.objects.first().group_set.set(groups)
    assert log() == [("role_changed", "access")]


def test_several_who_join_are_one_batch(db):
    users = [make_user(name) for name in ("alice", "bob", "carol")]
    phones = [Device(user) for user in users]
    group = Group.objects.create(name="editors")
    field = get_user_model()._meta.get_field("groups")
    getattr(group, field.remote_field.get_accessor_name()).set(users)
    assert [phone.standing for phone in phones] == ["stale"] * 3
    assert len(set(Revocation.objects.values_list("batch", flat=True))) == 1


@pytest.mark.django_db
def test_a_group_given_from_its_own_side_revokes_nothing_where_the_site_says_so(user, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "REVOKE_ON": {"role_changed": None}}
    phone = Device(user)
    group = Group.objects.create(name="editors")
    members = user._meta.get_field("groups").remote_field.get_accessor_name()
    getattr(group, members).add(user)
    assert phone.standing == "live"
