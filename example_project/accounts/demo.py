"""The demo users, and their one home: what is seeded is what is printed and shown."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from example_project.accounts.models import User


@dataclass(frozen=True)
class DemoUser:
    username: str
    role: User.Role
    groups: tuple[str, ...] = ()
    is_admin: bool = False

    @property
    def password(self) -> str:
        return f"{self.username}-pw-2026"

    @property
    def label(self) -> str:
        return str(_("Superuser") if self.is_admin else self.role.label)

    @property
    def about(self) -> str:
        return ", ".join(
            [
                "superuser" if self.is_admin else self.role.value,
                *(f"group {group}" for group in self.groups),
            ]
        )


DEMO_USERS = (
    DemoUser("admin", User.Role.MANAGER, is_admin=True),
    DemoUser("alice", User.Role.MANAGER),
    DemoUser("bob", User.Role.EDITOR, groups=("editors",)),
    DemoUser("mallory", User.Role.VIEWER),
)


def put_back(demo: DemoUser) -> bool:
    """Make the user as declared, and say whether anything had to change.

    A user who is as declared is not saved at all: a save with a new hash of the same password
    is a new hash all the same, and would sign that user out at each start of the demo.
    """
    declared = {
        "role": demo.role,
        "is_active": True,
        "is_staff": demo.is_admin,
        "is_superuser": demo.is_admin,
    }
    with transaction.atomic():
        user = User.objects.filter(username=demo.username).first() or User(username=demo.username)
        changed = [name for name, value in declared.items() if getattr(user, name) != value]
        for name in changed:
            setattr(user, name, declared[name])
        if user.pk is None or not user.check_password(demo.password):
            user.set_password(demo.password)
            changed.append("password")
        if changed:
            user.save()
        groups = [Group.objects.get_or_create(name=name)[0] for name in demo.groups]
        if set(user.groups.all()) != set(groups):
            user.groups.set(groups)
            changed.append("groups")
    return bool(changed)
