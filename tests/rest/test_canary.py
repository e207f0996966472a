"""``GET canary/``: which worker answers, to a canary's token and to nothing else."""

from __future__ import annotations

import time

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.throttling import BaseThrottle

from jwt_revoke import api
from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.codec import decode_access, encode_access
from jwt_revoke.exceptions import Unavailable
from jwt_revoke.keystore import key_ring
from jwt_revoke.processes import this_process
from jwt_revoke.rest.base import OpenView
from tests.wire import AUTH

URL = AUTH + "canary/"


def marked(device, **changes):
    """The device's token as the command signs it."""
    payload = {**decode_access(device.access, key_ring()).payload, "canary": True, **changes}
    return {"HTTP_AUTHORIZATION": f"Bearer {encode_access(payload, key_ring())}"}


def ask(client, method="get", **extra):
    return getattr(client, method)(URL, **extra)


def assert_nothing_here(response):
    assert response.status_code == 404
    assert response.json() == {"detail": "Not found."}
    assert str(this_process.id) not in response.content.decode()
    assert response["Cache-Control"] == "no-store"


def test_a_canary_learns_who_answers(phone, anonymous):
    response = ask(anonymous, **marked(phone))
    assert response.status_code == 200
    assert response.json() == {"worker": str(this_process.id), "standing": "live"}
    assert response["Cache-Control"] == "no-store"


def test_a_canary_s_standing_is_told_as_the_backend_has_it(phone, laptop, anonymous):
    api.revoke_token(decode_access(phone.access, key_ring()))
    api.end_session(laptop.session_id)
    assert ask(anonymous, **marked(phone)).json()["standing"] == "stale"
    assert ask(anonymous, **marked(laptop)).json()["standing"] == "revoked"


def test_a_backend_that_cannot_know_is_told(phone, anonymous, monkeypatch):
    def fail(*_args):
        raise Unavailable

    monkeypatch.setattr(DatabaseBackend, "check", fail)
    assert ask(anonymous, **marked(phone)).json()["standing"] == "unavailable"


def test_nobody_else_learns_anything(phone, anonymous):
    """Not even a user who is signed in."""
    assert_nothing_here(ask(anonymous))
    assert_nothing_here(ask(phone))


@pytest.mark.parametrize("value", [False, 1, "true", None, [], {"a": 1}])
def test_another_value_of_the_claim_is_no_canary(phone, anonymous, value):
    assert_nothing_here(ask(anonymous, **marked(phone, canary=value)))


@pytest.mark.parametrize(
    "header", ["Bearer junk", "Bearer", "Bearer a b", "Basic x", "Bearer a.b.c"]
)
def test_a_header_that_is_none_is_no_canary(db, anonymous, header):
    """Invariant 10."""
    assert_nothing_here(ask(anonymous, HTTP_AUTHORIZATION=header))


def test_a_signature_of_somebody_else_s_is_no_canary(phone, anonymous, settings):
    canary = marked(phone)
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SIGNING_KEYS": ["another-" + "k" * 40]}
    assert_nothing_here(ask(anonymous, **canary))


def test_an_expired_canary_is_none(phone, anonymous, settings):
    canary = marked(phone, exp=int(time.time()) - 1)
    assert_nothing_here(ask(anonymous, **canary))


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "head"])
def test_no_other_method_says_that_there_is_something(phone, anonymous, method):
    response = ask(anonymous, method, **marked(phone))
    assert response.status_code == 404


def test_whatever_form_is_asked_for_it_says_the_same(phone, anonymous):
    assert_nothing_here(ask(anonymous, HTTP_ACCEPT="text/html"))
    assert ask(anonymous, HTTP_ACCEPT="image/png", **marked(phone)).status_code == 200


def test_a_site_cannot_hand_the_claim_out(user, settings):
    """Its own claims may not use the name."""
    path = f"{__name__}.claims_of_the_site"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "CLAIMS": path}
    with pytest.raises(ImproperlyConfigured, match="canary"):
        api.sign_in(user)


def claims_of_the_site(user, session):
    return {"canary": True}


def test_a_site_s_limit_for_strangers_ends_no_measurement(phone, anonymous, monkeypatch):
    class Never(BaseThrottle):
        def allow_request(self, request, view):
            return False

    monkeypatch.setattr(OpenView, "throttle_classes", [Never])
    assert ask(anonymous, **marked(phone)).status_code == 200
