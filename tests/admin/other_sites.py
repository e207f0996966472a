"""Run as a script in a process of its own: sites that are configured in another way.

python -m tests.admin.other_sites order before|after     prints where the button is
python -m tests.admin.other_sites replaced                prints where the log is
python -m tests.admin.other_sites without                 checks a site without the admin
python -m tests.admin.other_sites child                   logs a child of the user out
python -m tests.admin.other_sites run MODEL               logs five users out, two a step
"""

from __future__ import annotations

import os
import sys

import django
from django.conf import settings

ANSWER = {"effect": "session", "reason": "logout_all", "note": ""}


def order(place: str) -> None:
    """jwt_revoke stands first or last in INSTALLED_APPS."""
    apps = [app for app in settings.INSTALLED_APPS if app != "jwt_revoke"]
    settings.INSTALLED_APPS = ["jwt_revoke", *apps] if place == "before" else [*apps, "jwt_revoke"]
    django.setup()
    from django.contrib import admin
    from django.contrib.auth import get_user_model
    from django.urls import reverse

    user_admin = admin.site.get_model_admin(get_user_model())
    print(reverse("admin:accounts_member_log_out_everywhere", args=[1]))
    print([getattr(action, "__name__", action) for action in user_admin.actions])


def replaced() -> None:
    """A theme puts a site of its own in the place of Django's, after our ``ready``."""
    settings.INSTALLED_APPS = ["jwt_revoke", "unfold", *settings.INSTALLED_APPS]
    settings.INSTALLED_APPS = list(dict.fromkeys(settings.INSTALLED_APPS))
    django.setup()
    from django.contrib import admin
    from django.urls import reverse

    print(type(admin.site).__name__)
    print(reverse("admin:jwt_revoke_revocation_changelist"))


def without() -> None:
    """A site that has no admin."""
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if "admin" not in app]
    settings.ROOT_URLCONF = "tests.admin.urls_without"
    django.setup()
    from django.core.management import call_command

    call_command("check")


def child() -> None:
    """The user model has a child in another table, with a key of its own."""
    settings.AUTH_USER_MODEL = "accounts.Person"
    settings.DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    django.setup()
    from django.contrib import admin
    from django.core.management import call_command
    from django.db import connection, models
    from django.test import Client

    from jwt_revoke.testing import Device
    from tests.accounts.models import Person

    class Supplier(Person):
        number = models.AutoField(primary_key=True)
        person = models.OneToOneField(Person, models.CASCADE, parent_link=True)

        class Meta:
            app_label = "accounts"

    admin.site.register(Supplier)
    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Supplier)
    boss = Person.objects.create_superuser("boss", password="x")
    client = Client()
    client.force_login(boss)
    for step in ["page", "action"]:
        supplier = Supplier.objects.create_user(step)
        assert supplier.number != supplier.person_id
        phone = Device(supplier.person)
        if step == "page":
            client.post(f"/admin/accounts/supplier/{supplier.pk}/log-out-everywhere/", ANSWER)
        else:
            chosen = {"_selected_action": [supplier.pk], "jwt_revoke_confirmed": "yes"}
            action = {"action": "log_out_selected", **chosen, **ANSWER}
            client.post("/admin/accounts/supplier/", action)
        print(step, phone.standing)


def run(model: str) -> None:
    """Users with another kind of key, logged out a page of two a step."""
    settings.AUTH_USER_MODEL = f"accounts.{model}"
    settings.DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client
    from django.test.utils import setup_test_environment

    from jwt_revoke.admin import bulk_logout
    from jwt_revoke.testing import Device

    setup_test_environment()
    bulk_logout.PAGE = 2
    call_command("migrate", verbosity=0)
    users = get_user_model().objects
    people = [users.create_user(f"user-{number}") for number in range(5)]
    devices = [Device(person) for person in people]
    client = Client()
    client.force_login(users.create_superuser("boss", password="x"))
    address = f"/admin/accounts/{model.lower()}/?q=user-"
    fields = {"action": "log_out_selected", "_selected_action": [people[0].pk], **ANSWER}
    fields |= {"select_across": "1", "jwt_revoke_confirmed": "yes"}
    broken = client.post(address, fields | {"jwt_revoke-after": "9" * 40})
    print(broken.context["title"], [device.standing for device in devices].count("revoked"))
    while (page := client.post(address, fields)).status_code == 200:
        print([device.standing for device in devices].count("revoked"))
        state = page.context["run"].initial
        fields |= {f"jwt_revoke-{name}": value for name, value in state.items()}
    print(page.status_code, [device.standing for device in devices].count("revoked"))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    sites = {"order": order, "replaced": replaced, "without": without, "child": child, "run": run}
    sites[sys.argv[1]](*sys.argv[2:])
