"""User models of every shape that a site may have.

TEST_USER_MODEL picks the one that is AUTH_USER_MODEL; the others stand beside
it as ordinary tables, so that one migration serves every variant.
"""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import AbstractUser, Group, Permission
from django.db import models


class Account(AbstractUser):
    """AbstractUser with reverse names that do not collide between its children.

    They also differ from Django's own "user_set", which nothing may rely upon.
    """

    groups = models.ManyToManyField(
        Group, blank=True, related_name="%(class)s_accounts", related_query_name="%(class)s_account"
    )
    user_permissions = models.ManyToManyField(
        Permission,
        blank=True,
        related_name="%(class)s_accounts",
        related_query_name="%(class)s_account",
    )

    class Meta(AbstractUser.Meta):
        abstract = True


class Member(Account):
    """The default: what most sites have."""

    role = models.CharField(max_length=30, blank=True)


class ProxyMember(Member):
    """A proxy as user model: signals arrive with it, or with Member, as sender."""

    class Meta:
        proxy = True


class UUIDMember(Account):
    """A key that no database generates, and groups through a model of the site's own."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    groups = models.ManyToManyField(
        Group,
        through="Membership",
        blank=True,
        related_name="uuidmember_accounts",
        related_query_name="uuidmember_account",
    )


class Membership(models.Model):
    """Adding a row directly sends no m2m_changed."""

    member = models.ForeignKey(UUIDMember, on_delete=models.CASCADE)
    group = models.ForeignKey(Group, on_delete=models.CASCADE)
    since = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["member", "group"], name="accounts_membership_once")
        ]

    def __str__(self) -> str:
        return f"{self.member_id} in {self.group_id}"


class Person(Account):
    """Holds password and is_active for Customer, in another table than the user model's own."""


class Customer(Person):
    """Multi-table inheritance: the primary key is a link to the parent's row."""

    company = models.CharField(max_length=100, blank=True)


class BareManager(BaseUserManager["Bare"]):
    def create_user(self, handle: str, password: str | None = None, **fields: object) -> Bare:
        user = self.model(handle=handle, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, handle: str, password: str | None = None, **fields: object) -> Bare:
        return self.create_user(handle, password, **fields)


class Bare(AbstractBaseUser):
    """The least that Django accepts: no is_active column, no groups, no staff, no username."""

    handle = models.CharField(max_length=60, unique=True)

    objects: ClassVar[BareManager] = BareManager()

    USERNAME_FIELD = "handle"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.handle
