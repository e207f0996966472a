"""Invariant 9: no token, key, hash or password in logs, rows, tracebacks, ``repr`` or URLs."""

from __future__ import annotations

import io
import logging
import sys
import time
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.backends.utils import CursorWrapper
from django.db.models import F
from django.test import RequestFactory
from django.views.debug import ExceptionReporter
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from jwt_revoke import api, codec, key_compromise, key_sources, sessions, signing_keys
from jwt_revoke.authentication import JWTAuthentication, TokenNotValid
from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.codec import RefreshClaims, decode_access, decode_refresh, encode_refresh
from jwt_revoke.keys import RefreshKey, RefreshKeyRing
from jwt_revoke.keystore import forget_keys, key_ring, refresh_key_ring
from jwt_revoke.log import Cause
from jwt_revoke.models import DeviceSession, SigningKey
from jwt_revoke.rest import token_views
from jwt_revoke.rest.account_views import LogoutAllView, PasswordChangeView, ReauthenticateView
from jwt_revoke.testing import Device
from jwt_revoke.urls import urlpatterns
from tests.conftest import PASSWORD, credentials
from tests.stored import after
from tests.views import PingView
from tests.wire import AUTH

pytestmark = pytest.mark.once

NEW_PASSWORD = "an entirely different passphrase"


class Secrets:
    """Everything that was secret in a test, to be looked for elsewhere."""

    def __init__(self, settings):
        self.found_in = {}
        self.texts = {PASSWORD, NEW_PASSWORD, "guessed-password"}
        configured = {**settings.JWT_REVOKE}
        self.texts |= {*map(str, configured["SIGNING_KEYS"]), *configured["REFRESH_KEYS"]}
        self.texts.add(settings.SECRET_KEY)

    def note(self, *values):
        self.texts |= {value for value in values if value}

    def note_tokens(self, body):
        self.note(body.get("access"), body.get("refresh"))

    def note_hashes(self):
        self.note(*get_user_model()._base_manager.values_list("password", flat=True))

    def assert_none_in(self, text, allowed=()):
        for secret in self.texts - set(allowed):
            # Part of a secret is one too: signatures alone, and refresh tokens cut in the middle.
            for piece in {secret, secret[-24:], secret.rpartition(".")[2]}:
                assert piece not in text, f"…{text[max(0, text.find(piece) - 200) :][:400]}…"


@pytest.fixture
def secrets(settings):
    return Secrets(settings)


@pytest.fixture
def live_a_day(transactional_db, user, anonymous, secrets, caplog):
    """``live_a_day()``: sign-ins, refreshes, log-outs, and every way to fail.

    A function, since what a fixture logs is not the test's.
    """
    return lambda: a_day(user, anonymous, secrets, caplog)


def a_day(user, anonymous, secrets, caplog):
    for name in ("", "jwt_revoke", "django", "django.request", "django.server", "django.template"):
        caplog.set_level(logging.DEBUG, name)
    secrets.note_hashes()

    def post(path, body, bearer=None):
        extra = {"HTTP_AUTHORIZATION": f"Bearer {bearer}"} if bearer else {}
        response = anonymous.post(AUTH + path, body, **extra)
        if response.content and isinstance(response.json(), dict):
            secrets.note_tokens(response.json())
        return response

    tokens = post("token/", credentials()).json()
    other = post("token/", credentials()).json()
    post("token/", credentials(password="guessed-password"))
    post("token/", credentials("nobody", "guessed-password"))
    # The password typed into the wrong field.
    post("token/", credentials("guessed-password", "x"))
    post("token/refresh/", {"refresh": tokens["refresh"]})
    newer = post("token/refresh/", {"refresh": tokens["refresh"]}).json()
    post("token/verify/", {"token": newer["access"]})
    post("token/verify/", {"token": newer["access"] + "x"})
    post("reauthenticate/", {"password": PASSWORD}, newer["access"])
    post("reauthenticate/", {"password": "guessed-password"}, newer["access"])
    DeviceSession.objects.update(rotated_at=F("rotated_at") - timedelta(seconds=31))
    assert post("token/refresh/", {"refresh": tokens["refresh"]}).status_code == 401
    anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {newer['access']}")
    anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {newer['access'][:-3]}abc")
    post("password/change/", {"old_password": "guessed-password", "new_password": NEW_PASSWORD},
         other["access"])  # fmt: skip
    changed = post(
        "password/change/",
        {"old_password": PASSWORD, "new_password": NEW_PASSWORD},
        other["access"],
    )
    assert changed.status_code == 200
    secrets.note_hashes()
    device = Device(get_user_model().objects.get(pk=user.pk))
    the_end_of_a_device(anonymous, post, device, secrets)
    a_database_that_goes_away(anonymous, post, device)


def the_end_of_a_device(anonymous, post, device, secrets):
    secrets.note(device.access, device.refresh_token)
    api.revoke_token(device.access)
    device.get("/api/ping/")
    device.refresh_tokens()
    secrets.note(device.access, device.refresh_token)
    DeviceSession.objects.filter(pk=device.session_id).update(refresh_counter=0)
    post("token/refresh/", {"refresh": device.refresh_token})
    kept = post("logout/all/", {"keep_current": True}, device.access)
    assert kept.status_code == 200
    post("logout/", {"refresh": kept.json()["refresh"]}, kept.json()["access"])
    post("logout/all/", {}, kept.json()["access"])
    later = time.time() + 3600
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: later)
        anonymous.get("/api/ping/", HTTP_AUTHORIZATION=f"Bearer {kept.json()['access']}")


def a_database_that_goes_away(anonymous, post, device):
    def away(self, sql, params=None):
        raise OperationalError(f"driver quotes {params}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", away)
        for path in ("token/refresh/", "token/verify/", "logout/"):
            body = {"refresh": device.refresh_token, "token": device.access}
            assert post(path, body, device.access).status_code == 503
        assert post("token/", credentials()).status_code == 503
        bearer = f"Bearer {device.access}"
        assert anonymous.get("/api/ping/", HTTP_AUTHORIZATION=bearer).status_code == 503


def test_nothing_secret_is_logged(live_a_day, secrets, caplog):
    live_a_day()
    logged = caplog.text + "".join(repr(record.__dict__) for record in caplog.records)
    assert "Token refused" in logged
    assert "Access token refused" in logged
    assert "Revoked: " in logged
    secrets.assert_none_in(logged)


def test_nothing_secret_is_in_our_tables(live_a_day, secrets):
    """A dump can neither refresh nor sign. (The password's own hash is Django's to keep.)"""
    live_a_day()
    dump = ""
    for table in connection.introspection.table_names():
        if table.startswith("jwt_revoke_"):
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
                dump += repr(cursor.fetchall())
    assert str(DeviceSession.objects.first().pk).replace("-", "") in dump.replace("-", "")
    secrets.assert_none_in(dump)


def test_nothing_secret_is_in_the_cache(live_a_day, secrets):
    live_a_day()
    assert cache._cache
    secrets.assert_none_in(repr(cache._cache))


def test_a_dump_and_the_algorithm_do_not_make_a_refresh_token(phone, anonymous):
    """All that the row holds is the counter: the key is in no table."""
    (ours,) = refresh_key_ring().keys
    row = phone.device_session
    claims = RefreshClaims(row.pk, row.refresh_counter)
    for guess in (b"\0" * 32, row.pk.bytes * 2, ours.key_id * 8):
        ring = RefreshKeyRing((RefreshKey(ours.key_id, guess),))
        body = {"refresh": encode_refresh(claims, ring)}
        assert anonymous.post(AUTH + "token/refresh/", body).status_code == 401


def test_nothing_secret_is_in_the_repr_of_what_we_hand_out(user, secrets):
    secrets.note_hashes()
    signed_in = api.sign_in(user)
    secrets.note(signed_in.access, signed_in.refresh)
    claims = decode_access(signed_in.access, key_ring())
    handed_out = [
        signed_in,
        claims,
        decode_refresh(signed_in.refresh, refresh_key_ring()),
        key_ring(),
        key_ring().signing,
        refresh_key_ring(),
        refresh_key_ring().signing,
        DatabaseBackend({}),
        DeviceSession.objects.get(),
        user.jwt_revoke_state,
    ]
    for thing in handed_out:
        secrets.assert_none_in(repr(thing) + str(thing))


def test_no_url_takes_a_secret():
    """RFC 9700 §4.3.2: paths are logged, and sent on as referrers."""
    parameters = {name for pattern in urlpatterns for name in pattern.pattern.converters}
    assert parameters == {"session_id"}


@pytest.fixture(params=[False, True], ids=["", "DEBUG"])
def debug(request, settings):
    """A debug page is looked at over somebody's shoulder, and an error tracker keeps locals too."""
    settings.DEBUG = request.param


class Forced(RuntimeError):
    """A defect somewhere below a view."""


def full_report(view, request, breaking, monkeypatch):
    """All that Django can send the admins of a site: with the locals, the settings, the request."""
    target, name = breaking

    def fail(*_args, **_kwargs):
        raise Forced

    monkeypatch.setattr(target, name, fail)
    try:
        view(request)
    except Forced:
        reporter = ExceptionReporter(request, *sys.exc_info())
        return reporter.get_traceback_html() + reporter.get_traceback_text()
    raise AssertionError("nothing was raised")


def views():
    return {
        "token": (token_views.SignInView, (sessions, "_open")),
        "token_refresh": (token_views.RefreshView, (token_views, "refresh")),
        "token_verify": (token_views.VerifyView, (DatabaseBackend, "check")),
        "token_blacklist": (token_views.BlacklistView, (token_views, "end_session")),
        "logout": (token_views.LogoutView, (token_views, "end_session")),
        "logout_all": (LogoutAllView, (DatabaseBackend, "check")),
        "password_change": (PasswordChangeView, (sessions, "_sign_in")),
        "reauthenticate": (ReauthenticateView, (sessions, "mint_access")),
    }


@pytest.mark.parametrize("form", ["json", "multipart"])
@pytest.mark.parametrize("name", views())
def test_the_error_report_of_a_view_of_ours_shows_no_secret(
    debug, phone, secrets, monkeypatch, name, form
):
    secrets.note(phone.access, phone.refresh_token)
    secrets.note_hashes()
    body = {
        **credentials(),
        "refresh": phone.refresh_token,
        "token": phone.access,
        "old_password": PASSWORD,
        "new_password": NEW_PASSWORD,
    }
    request = APIRequestFactory().post(
        "/", body, format=form, HTTP_AUTHORIZATION=f"Bearer {phone.access}"
    )
    view, breaking = views()[name]
    report = full_report(view.as_view(), request, breaking, monkeypatch)
    assert "Forced" in report
    secrets.assert_none_in(report)


@pytest.mark.parametrize(
    "breaking",
    [(DatabaseBackend, "_run"), (DatabaseBackend, "check"), (PingView, "get")],
    ids=["in the SELECT", "in the backend", "in the site's view"],
)
def test_the_error_report_of_a_view_of_the_site_shows_no_secret(
    debug, phone, secrets, monkeypatch, breaking
):
    secrets.note(phone.access)
    secrets.note_hashes()
    request = RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {phone.access}")
    report = full_report(PingView.as_view(), request, breaking, monkeypatch)
    assert "Forced" in report
    secrets.assert_none_in(report)


def test_the_error_report_of_the_codec_shows_no_secret(debug, phone, secrets, monkeypatch):
    secrets.note(phone.access)
    request = RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {phone.access}")
    breaking = (codec, "_json_object")
    report = full_report(PingView.as_view(), request, breaking, monkeypatch)
    secrets.assert_none_in(report)


def test_the_authentication_class_raises_from_nothing(db):
    """No chained exception carries the library's own text into a log."""
    bad = Request(RequestFactory().get("/", HTTP_AUTHORIZATION="Bearer a.b.c"))
    with pytest.raises(TokenNotValid) as caught:
        JWTAuthentication().authenticate(bad)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# --- stored keys


@pytest.fixture
def materials(monkeypatch, secrets):
    """Every key that is made is looked for from then on, line by line of its PEM."""
    real = signing_keys.make_material

    def noted(algorithm):
        material = real(algorithm)
        secrets.note(*(line for line in material.splitlines() if "-----" not in line))
        return material

    monkeypatch.setattr(signing_keys, "make_material", noted)


def the_life_of_a_key(algorithm):
    for _ in range(2):
        lost = signing_keys.rotate("default", algorithm).key
        after(days=1)
    signing_keys.create("default", algorithm)
    key_compromise.compromise("default", lost.kid, Cause("key_compromised"))


@pytest.mark.parametrize("algorithm", ["HS256", "ES256", "RS256"])
def test_no_stored_key_is_in_logs_rows_or_dumps(
    db, stored_keys, materials, secrets, caplog, algorithm
):
    caplog.set_level(logging.DEBUG)
    the_life_of_a_key(algorithm)
    dump = io.StringIO()
    call_command("dumpdata", "jwt_revoke", stdout=dump)
    secrets.texts |= set(stored_keys.JWT_REVOKE["KEY_ENCRYPTION_KEYS"])
    assert len(secrets.texts) > 6
    secrets.assert_none_in(dump.getvalue())
    secrets.assert_none_in(caplog.text)
    secrets.assert_none_in(repr(list(SigningKey.objects.all())) + repr(key_ring()))


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize("change", ["create", "rotate", "compromise"])
def test_the_error_report_of_a_change_of_keys_shows_no_key(
    db, stored_keys, materials, secrets, monkeypatch, change
):
    calls = {
        "create": lambda _request: signing_keys.create("default"),
        "rotate": lambda _request: signing_keys.rotate("default"),
        "compromise": lambda _request: key_compromise.compromise(
            "default", key_ring().signing.kid, Cause("key_compromised")
        ),
    }
    # After the key was made, and before it is stored.
    breaking = (signing_keys, "encrypt")
    text = full_report(calls[change], RequestFactory().get("/"), breaking, monkeypatch)
    assert len(secrets.texts) > 6
    secrets.assert_none_in(text)


def test_the_error_report_of_keys_being_read_shows_no_key(
    debug, db, stored_keys, materials, secrets, monkeypatch
):
    signing_keys.create("default")
    forget_keys()
    breaking = (key_sources, "load_key")
    text = full_report(
        lambda _request: key_ring(), RequestFactory().get("/"), breaking, monkeypatch
    )
    secrets.assert_none_in(text)
