"""s08: tokens bound to the password's hash, so that even raw SQL kills them."""

from __future__ import annotations

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import connection

from tests.conftest import PASSWORD
from tests.strategies.over_http import Phone, log

pytestmark = pytest.mark.django_db


def set_by_sql(user, encoded):
    table = connection.ops.quote_name(get_user_model()._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET password = %s", [encoded])


def test_password_changed_by_raw_sql_kills_the_tokens(user):
    phone = Phone()
    set_by_sql(user, make_password("of the thief's choosing"))
    assert phone.standing() == "stale"
    assert not phone.may_renew()


def test_refresh_that_finds_it_records_the_change(user):
    phone = Phone()
    set_by_sql(user, make_password("of the thief's choosing"))
    phone.renew()
    assert log() == [("user", "password_changed", "session")]
    assert phone.standing() == "revoked"


def test_sign_in_that_finds_it_records_the_change_and_lives(user):
    """The new tokens are not killed by the change that was recorded for them."""
    phone, laptop = Phone(), Phone(device="laptop")
    set_by_sql(user, make_password("new one"))
    assert laptop.sign_in("new one").status_code == 200
    assert (phone.standing(), laptop.standing()) == ("revoked", "live")


def test_queryset_update_of_the_password_kills_the_tokens(user):
    phone = Phone()
    get_user_model().objects.update(password=make_password("new one"))
    assert phone.standing() == "stale"
    assert not phone.may_renew()


def test_hasher_upgrade_kills_nothing(user, settings):
    user.password = make_password(PASSWORD, hasher="pbkdf2_sha256")
    user.save()
    phone = Phone()  # this sign-in already upgrades the hash to MD5, the suite's first hasher
    user.refresh_from_db()
    assert user.password.startswith("md5$")
    settings.PASSWORD_HASHERS = settings.PASSWORD_HASHERS[::-1]
    laptop = Phone(device="laptop")
    user.refresh_from_db()
    assert user.password.startswith("pbkdf2_sha256$")
    assert (phone.standing(), laptop.standing()) == ("live", "live")
    assert phone.may_renew()
