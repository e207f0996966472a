from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin

from tests.accounts.models import Account, Bare, UUIDMember


class UUIDMemberAdmin(UserAdmin):
    """Without "groups": the admin refuses to edit a relation with a through model of its own."""

    fieldsets = [
        (None, {"fields": ["username", "password"]}),
        ("Permissions", {"fields": ["is_active", "is_staff", "is_superuser", "user_permissions"]}),
    ]
    filter_horizontal = ["user_permissions"]


User = get_user_model()
if issubclass(User, UUIDMember):
    admin.site.register(User, UUIDMemberAdmin)
elif issubclass(User, Account):
    admin.site.register(User, UserAdmin)
elif issubclass(User, Bare):
    admin.site.register(User)
