"""Changes to accounts → revocations (DESIGN §8). Receivers only translate; others write.

They are connected for every model that shares the user's row: proxies, multi-table parents and
children, and custom ``through`` models.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from asgiref.sync import sync_to_async
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.signals import user_logged_out
from django.db.models import ForeignKey, Model, Q, QuerySet
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save

from .actor import current_actor
from .bulk import revoke_users
from .conf import conf
from .database import atomically, persistently
from .deferred import load_before_writing
from .log import Cause
from .models import EFFECT_SESSION, write_alias
from .revocation import forget_user, revoke_user
from .settling import adopt_hash, settle
from .standing import watched_fields


def connect() -> None:
    """Connect every receiver; harmless when repeated."""
    user = get_user_model()
    for model in apps.get_models(include_auto_created=False):
        path = _path_to_user(model, user)
        if path is not None:
            _connect(post_save, _saver(path), model, "saved")
        if model._meta.concrete_model is user._meta.concrete_model:
            _connect(pre_save, on_user_saving, model, "saving")
            _connect(pre_delete, on_user_deleted, model, "deleted")
    for name in _role_relations():
        _connect_relation(getattr(user, name).through, name)
    m2m_changed.connect(
        on_group_permissions_changed,
        sender=Group.permissions.through,
        dispatch_uid="jwt_revoke.group_permissions",
    )
    for holder in (Group, Permission):
        _connect(pre_delete, on_role_deleted, holder, "role_deleted")
    user_logged_out.connect(on_django_logout, dispatch_uid="jwt_revoke.django_logout")
    _watch_hasher_upgrades(user)


def on_user_saving(instance: Any, **_kwargs: Any) -> None:
    """Before anything is written."""
    load_before_writing(instance)


def on_user_deleted(instance: Any, using: str, **_kwargs: Any) -> None:
    """Before the cascade, in the transaction of the deletion."""
    load_before_writing(instance)
    if using == write_alias():
        forget_user(using, instance.pk, Cause.of("deleted"))


def on_user_relation_changed(
    instance: Any,
    action: str,
    reverse: bool,
    pk_set: set[Any] | None,
    using: str,
    model: type[Model],
    **_kwargs: Any,
) -> None:
    """``user.groups``, ``user.user_permissions`` or the way back changed.

    What a clear removes is known before it, what was added after; each inside one transaction
    with the change.
    """
    if not _changes(action, pk_set):
        return
    if not reverse:
        _role_of_one_changed(using, instance.pk)
    elif action == "pre_clear":
        name = "groups" if isinstance(instance, Group) else "user_permissions"
        _role_changed(using, Q(**{name: instance}))
    else:
        _role_changed(using, Q(pk__in=pk_set))


def on_group_permissions_changed(
    instance: Any,
    action: str,
    reverse: bool,
    pk_set: set[Any] | None,
    using: str,
    **_kwargs: Any,
) -> None:
    """A group got or lost a permission, seen from either side: its members' role changed."""
    if not _changes(action, pk_set):
        return
    if "groups" not in _role_relations():
        return
    if not reverse:
        _role_changed(using, Q(groups=instance))
    elif action == "pre_clear":
        _role_changed(using, Q(groups__permissions=instance))
    else:
        _role_changed(using, Q(groups__in=pk_set))


def on_role_deleted(instance: Any, using: str, **_kwargs: Any) -> None:
    """A group or a permission goes: the role of whoever has it changes, while they still do."""
    relations, held = _role_relations(), Q(pk__in=[])
    if isinstance(instance, Group):
        held |= Q(groups=instance) if "groups" in relations else Q()
    else:
        held |= Q(groups__permissions=instance) if "groups" in relations else Q()
        held |= Q(user_permissions=instance) if "user_permissions" in relations else Q()
    _role_changed(using, held)


def on_django_logout(user: Any, **_kwargs: Any) -> None:
    """``django.contrib.auth.logout``, where ``REVOKE_ON_DJANGO_LOGOUT`` says so."""
    if conf.REVOKE_ON_DJANGO_LOGOUT and user is not None:
        using, cause = write_alias(), Cause.of("logout", user)
        persistently(using, revoke_user, using, user.pk, cause, EFFECT_SESSION)


def _saver(path: str) -> Callable[..., None]:
    def on_saved(
        instance: Any,
        created: bool,
        using: str,
        update_fields: frozenset[str] | None,
        raw: bool = False,
        **_kwargs: Any,
    ) -> None:
        """A row of the user was saved: look at it as it stands now, not at the instance."""
        if using != write_alias() or not _concerns_us(update_fields):
            return
        if path == "pk":
            created = created and not raw
            persistently(using, settle, using, instance.pk, created=created, actor=current_actor())
            return
        users = get_user_model()._base_manager.using(using).filter(**{path: instance.pk})
        for pk in users.values_list("pk", flat=True):
            persistently(using, settle, using, pk, actor=current_actor())

    return on_saved


def _concerns_us(update_fields: frozenset[str] | None) -> bool:
    if update_fields is None:
        return True
    watched: list[Any] = [get_user_model()._meta.get_field(name) for name in watched_fields()]
    # A foreign key may be named as the field or as its column.
    names = {name for field in watched for name in (field.name, field.attname)}
    return not update_fields.isdisjoint({"password", "is_active", *names})


def _path_to_user(model: type[Model], user: type[Any]) -> str | None:
    """How a user is found from a row of ``model``: a lookup on the user, ``None`` if unrelated."""
    if model._meta.concrete_model is user._meta.concrete_model:
        return "pk"
    if issubclass(user, model):
        # A multi-table parent: its key may differ from the user's when the link is no key.
        link = user._meta.get_ancestor_link(model)
        return None if link is None else f"{link.name}__pk"
    if issubclass(model, user):
        child = model._meta.concrete_model
        link = child._meta.get_ancestor_link(user) if child else None
        return None if link is None else f"{link.related_query_name()}__pk"
    return None


def _connect_relation(through: type[Model], name: str) -> None:
    m2m_changed.connect(on_user_relation_changed, sender=through, dispatch_uid=f"jwt_revoke.{name}")
    if through._meta.auto_created:
        return
    # A through model of the site's own is also saved and deleted row by row.
    key = next(
        field.attname
        for field in through._meta.concrete_fields
        if isinstance(field, ForeignKey) and issubclass(get_user_model(), field.related_model)
    )

    def on_row(instance: Any, using: str, **_kwargs: Any) -> None:
        _role_of_one_changed(using, getattr(instance, key))

    _connect(post_save, on_row, through, f"{name}_row")
    _connect(post_delete, on_row, through, f"{name}_row")


def _connect(signal: Any, receiver: Callable[..., None], sender: type[Model], what: str) -> None:
    signal.connect(
        receiver, sender=sender, weak=False, dispatch_uid=f"jwt_revoke.{what}.{sender._meta.label}"
    )


def _changes(action: str, pk_set: set[Any] | None) -> bool:
    """Whether this signal of the several that a change sends is the one to act on."""
    return action == "pre_clear" or (action in {"post_add", "post_remove"} and bool(pk_set))


def _role_relations() -> set[str]:
    """Those of ``groups`` and ``user_permissions`` that the user model has, as Django's."""
    targets = {"groups": Group, "user_permissions": Permission}
    fields = get_user_model()._meta.many_to_many
    return {field.name for field in fields if targets.get(field.name) is field.related_model}


def _role_changed(using: str, whom: Q) -> None:
    effect = conf.REVOKE_ON["role_changed"]
    if using != write_alias() or not effect:
        return
    users: QuerySet[Any] = get_user_model()._base_manager.using(using).filter(whom)
    revoke_users(using, users, Cause.of("role_changed"), effect)


def _role_of_one_changed(using: str, user_pk: Any) -> None:
    effect = conf.REVOKE_ON["role_changed"]
    if using == write_alias() and effect:
        revoke_user(using, user_pk, Cause.of("role_changed"), effect)


def _watch_hasher_upgrades(user: type[Any]) -> None:
    """Wrap ``check_password`` and its async twin: the one place where a hash may change while
    the password does not.

    Django's own setter saves the row unconditionally. Between its read and its write another
    request may have changed the password, which that save would undo; so it is made conditional
    here, and the fingerprint moves in the same transaction.
    """
    check, acheck = user.check_password, user.acheck_password
    if getattr(check, "jwt_revoke_wrapped", False):
        return

    def check_password(self: Any, raw_password: str) -> bool:
        with _upgrading(self) as first:
            matches = bool(check(self, raw_password))
        if not first.lost:
            return matches
        # Somebody else's upgrade of the same password, or a new one: only the row can tell.
        if first.read_again():
            with _upgrading(self):
                matches = bool(check(self, raw_password))
        return first.verified(matches)

    async def acheck_password(self: Any, raw_password: str) -> bool:
        with _upgrading(self) as first:
            matches = bool(await acheck(self, raw_password))
        if not first.lost:
            return matches
        if await sync_to_async(first.read_again)():
            with _upgrading(self):
                matches = bool(await acheck(self, raw_password))
        return first.verified(matches)

    # An attribute of ours on a function, unknown to its type.
    check_password.jwt_revoke_wrapped = True  # type: ignore[attr-defined]
    user.check_password, user.acheck_password = check_password, acheck_password


class _upgrading:  # noqa: N801  (reads as the statement it is)
    """While a password is checked, a save of that instance's password is a hasher upgrade."""

    def __init__(self, user: Any) -> None:
        self.user, self.old = user, user.password
        self.lost = False  # by the time of the upgrade the row held another hash

    def __enter__(self) -> _upgrading:
        user, old, save = self.user, self.old, self.user.save

        def save_upgrade(*args: Any, **kwargs: Any) -> None:
            using = kwargs.get("using") or user._state.db or write_alias()
            with atomically(using):
                if using != write_alias() or adopt_hash(using, user, old):
                    save(*args, **kwargs)
                else:
                    self.lost = True

        user.save = save_upgrade
        return self

    def read_again(self) -> bool:
        with suppress(type(self.user).DoesNotExist):
            return self.user.refresh_from_db(fields=["password"]) is None
        return False

    def verified(self, matches: bool) -> bool:
        if not matches:
            self.user.password = self.old  # that of the row must not sign in: nobody verified it
        return matches

    def __exit__(self, *_exception: object) -> None:
        self.user.__dict__.pop("save", None)
