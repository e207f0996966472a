"""``JWTAuthentication``: what a request of the site gets for its header."""

from __future__ import annotations

import base64
import time
from datetime import timedelta
from typing import ClassVar

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import OperationalError, connection
from rest_framework.authentication import BasicAuthentication
from rest_framework.decorators import action
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from jwt_revoke import api
from jwt_revoke.actor import current_actor
from jwt_revoke.authentication import JWTAuthentication, authenticate_token
from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.claims import Claims
from jwt_revoke.codec import decode_access, encode_access
from jwt_revoke.keystore import key_ring
from jwt_revoke.permissions import (
    FreshRevocationCheck,
    InsufficientAuthentication,
    RecentlyAuthenticated,
)
from jwt_revoke.testing import Device
from tests.conftest import PASSWORD
from tests.wire import (
    INVALID_TOKEN,
    assert_no_credentials,
    assert_refused_header,
)

PING = "/api/ping/"


def ping(client, header):
    return client.get(PING, HTTP_AUTHORIZATION=header)


def test_a_live_token_is_let_in(phone):
    assert phone.get(PING).json() == {"ok": True}


def test_request_user_is_the_user(phone, user):
    assert phone.get("/api/me/").json() == {
        "id": str(user.pk),
        "username": user.get_username(),
    }


def authenticated(token):
    """What a view sees: the request that REST framework hands it."""
    seen = []

    class Looking(APIView):
        authentication_classes = (JWTAuthentication,)
        permission_classes = (AllowAny,)

        def get(self, request):
            seen.append(request)
            return Response()

    Looking.as_view()(APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}"))
    return seen[0]


def test_request_auth_holds_the_claims(phone, user):
    claims = authenticated(phone.access).auth
    assert isinstance(claims, Claims)
    assert (claims.sub, claims.sid) == (str(user.pk), phone.session_id)


def own_claims(user, session):
    return {"role": "editor", "device": str(session.pk)}


def test_request_auth_gives_the_sites_own_claims(user, sign_in, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "CLAIMS": f"{__name__}.own_claims"}
    device = sign_in(user)
    auth = authenticated(device.access).auth
    assert (auth["role"], auth["device"]) == ("editor", str(device.session_id))
    assert "role" in auth
    assert auth.get("missing", "default") == "default"


def test_no_header_is_401_without_an_error_code(db, anonymous):
    """RFC 6750 §3.1."""
    assert_no_credentials(anonymous.get(PING))


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Token abc", "BearerX abc", "Bearer:abc"])
def test_another_scheme_is_left_to_others(db, anonymous, header):
    assert_no_credentials(ping(anonymous, header))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_read_without_case(phone, anonymous, scheme):
    """RFC 9110 §11.1."""
    assert ping(anonymous, f"{scheme} {phone.access}").status_code == 200


def test_a_site_may_name_other_schemes(phone, anonymous, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "AUTH_HEADER_TYPES": ["JWT", "Bearer"]}
    assert ping(anonymous, f"JWT {phone.access}").status_code == 200
    assert ping(anonymous, f"Bearer {phone.access}").status_code == 200
    assert anonymous.get(PING)["WWW-Authenticate"] == 'JWT realm="api"'


def test_a_revoked_session_is_told_to_sign_in_again(phone):
    api.end_session(phone.session_id)
    assert_refused_header(phone.get(PING), "revoked")


def test_an_outdated_token_is_told_to_refresh(phone, user):
    api.revoke_user(user, effect="access")
    assert_refused_header(phone.get(PING), "stale")


def test_a_denied_token_is_told_to_refresh(phone):
    api.revoke_token(phone.access)
    assert_refused_header(phone.get(PING), "stale")


def test_a_changed_password_that_nobody_recorded_is_told_to_refresh(phone, user):
    get_user_model().objects.filter(pk=user.pk).update(password=make_password("another"))
    assert_refused_header(phone.get(PING), "stale")


def test_an_expired_token_is_told_so(phone, monkeypatch):
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    assert_refused_header(phone.get(PING), "expired")


def test_nonsense_is_told_so(db, anonymous):
    assert_refused_header(ping(anonymous, "Bearer nonsense"), "invalid")


def test_why_it_was_revoked_is_in_the_log_and_not_in_the_answer(phone, caplog):
    api.revoke_session(phone.session_id, reason="stolen", note="found in a pub")
    with caplog.at_level("INFO", "jwt_revoke"):
        response = phone.get(PING)
    assert b"stolen" not in response.content
    assert b"pub" not in response.content
    assert "session ended" in caplog.text


def test_a_refused_token_is_not_taken_for_nobody(phone):
    """A view that anybody may see is still closed to a dead token, as simplejwt's is."""
    api.end_session(phone.session_id)

    class Open(APIView):
        authentication_classes = (JWTAuthentication,)
        permission_classes = (AllowAny,)

    request = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {phone.access}")
    response = Open.as_view()(request)
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == INVALID_TOKEN


def test_it_stands_beside_other_authentication_classes(user):
    class Both(APIView):
        authentication_classes = (JWTAuthentication, BasicAuthentication)
        permission_classes = (IsAuthenticated,)

        def get(self, request):
            return Response(request.user.get_username())

    basic = base64.b64encode(f"alice:{PASSWORD}".encode()).decode()
    request = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Basic {basic}")
    assert Both.as_view()(request).data == "alice"


def test_a_request_without_a_token_asks_the_database_nothing(
    db, anonymous, django_assert_num_queries
):
    with django_assert_num_queries(0):
        anonymous.get(PING)


def test_a_token_with_a_bad_signature_asks_the_database_nothing(
    phone, anonymous, django_assert_num_queries
):
    """Whoever floods us with junk does not reach the database."""
    head, body, _ = phone.access.split(".")
    with django_assert_num_queries(0):
        ping(anonymous, f"Bearer {head}.{body}.{'A' * 43}")


def judge_by(permission, token):
    request = authenticated(token)
    return permission().has_permission(request, APIView())


def test_recently_authenticated_lets_in_right_after_a_sign_in(phone):
    assert judge_by(RecentlyAuthenticated, phone.access)


def test_recently_authenticated_refuses_later(phone, monkeypatch):
    request = authenticated(phone.access)
    later = time.time() + 302
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(InsufficientAuthentication):
        RecentlyAuthenticated().has_permission(request, APIView())


def test_recently_authenticated_within_another_age(phone, monkeypatch):
    request = authenticated(phone.access)
    later = time.time() + 302
    monkeypatch.setattr(time, "time", lambda: later)
    longer = RecentlyAuthenticated.within(timedelta(minutes=10))
    assert longer().has_permission(request, APIView())


@pytest.mark.parametrize("permission", [RecentlyAuthenticated, FreshRevocationCheck])
def test_a_permission_for_tokens_refuses_other_credentials(db, permission):
    request = APIView().initialize_request(APIRequestFactory().get("/"))
    request.auth = None
    assert not permission().has_permission(request, APIView())


def test_fresh_revocation_check_lets_a_live_token_in(phone):
    assert judge_by(FreshRevocationCheck, phone.access)


# What a view asks of the backend (s21).


class Recording(DatabaseBackend):
    """Keeps what it was asked for."""

    asked: ClassVar[list] = []

    def check(self, claims, max_staleness=None):
        self.asked.append(max_staleness)
        return super().check(claims)


@pytest.fixture
def asked(settings, monkeypatch):
    """The ``max_staleness`` of each check."""
    monkeypatch.setattr(Recording, "asked", [])
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": f"{__name__}.Recording"}
    return Recording.asked


class Answering(APIView):
    authentication_classes = (JWTAuthentication,)

    def get(self, request):
        return Response()


class OfTheMethod(Answering):
    @property
    def max_staleness(self):
        return None if self.request.method == "GET" else 0


def get(view, device):
    request = APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {device.access}")
    return view(request)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [(0, 0), (2.5, 2.5), (None, None), (timedelta(seconds=90), 90), (timedelta(0), 0)],
)
def test_a_view_says_how_stale_its_check_may_be(asked, phone, wanted, expected):
    """Seconds, or a ``timedelta``; ``None`` is the backend's own bound."""
    assert get(Answering.as_view(), phone).status_code == 200
    view = type("View", (Answering,), {"max_staleness": wanted})
    assert get(view.as_view(), phone).status_code == 200
    assert asked == [None, expected]


def test_a_view_may_decide_by_the_request(asked, phone):
    get(OfTheMethod.as_view(), phone)
    request = APIRequestFactory().post("/", HTTP_AUTHORIZATION=f"Bearer {phone.access}")
    OfTheMethod.as_view()(request)
    assert asked == [None, 0]


class Documents(ViewSet):
    authentication_classes = (JWTAuthentication,)
    max_staleness = 60

    def list(self, request):
        return Response()

    @action(detail=False, max_staleness=0)
    def shred(self, request):
        return Response()


def test_an_action_of_a_viewset_may_ask_for_more_than_the_others(asked, phone):
    get(Documents.as_view({"get": "list"}), phone)
    get(Documents.as_view({"get": "shred"}, **Documents.shred.kwargs), phone)
    assert asked == [60, 0]


def test_authenticating_outside_of_a_view_is_within_the_backends_own_bound(asked, phone):
    authenticate_token(phone.access)
    JWTAuthentication().authenticate(
        Request(APIRequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {phone.access}"))
    )
    assert asked == [None, None]


# Where the backend reads no row.


@pytest.fixture
def stateless(settings):
    path = "jwt_revoke.backends.stateless.StatelessBackend"
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path}


def test_without_a_row_the_actor_is_known_all_the_same(
    stateless, phone, user, django_assert_num_queries
):
    with django_assert_num_queries(0):
        authenticated(phone.access)
        assert current_actor() == str(user.pk)


def test_without_a_row_a_subject_that_spells_no_key_is_refused(stateless, phone, anonymous):
    """Signed by us, for a user model of before: the key was a UUID, say."""
    said = {**decode_access(phone.access, key_ring()).payload, "sub": "neither number nor UUID"}
    token = encode_access(said, key_ring())
    assert_refused_header(ping(anonymous, f"Bearer {token}"), "stale")


def test_an_opaque_id_whose_key_cannot_be_looked_up_is_503(stateless, settings, user):
    """Invariant 4: the first sight of an id asks whose it is."""
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SUBJECT": "opaque"}
    phone = Device(user)

    def refuse(execute, sql, *args):
        raise OperationalError("server closed the connection unexpectedly")

    with connection.execute_wrapper(refuse):
        assert phone.get("/api/ping/").status_code == 503
    assert phone.get("/api/ping/").status_code == 200


def test_a_middleware_sees_the_user_that_the_view_saw(stateless, phone):
    """REST framework hands it on to Django's request: the same instance, loaded once."""
    request = authenticated(phone.access)
    assert request._request.user is request.user


def test_each_request_has_a_user_of_its_own(stateless, phone):
    one, two = authenticated(phone.access).user, authenticated(phone.access).user
    assert one == two
    assert one is not two
