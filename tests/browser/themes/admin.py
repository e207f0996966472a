"""The user admin as django-unfold's documentation has it."""

from __future__ import annotations

from django.contrib import admin
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from example_project.accounts.admin import UserAdmin as ExampleUserAdmin
from example_project.accounts.models import User

admin.site.unregister(User)


@admin.register(User)
class UserAdmin(ExampleUserAdmin, ModelAdmin):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
