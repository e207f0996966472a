"""Sign in, refresh, verify, log out: the views that read tokens themselves."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate, get_user_model
from rest_framework import exceptions, renderers
from rest_framework.request import Request
from rest_framework.response import Response

from ..api import end_session
from ..authentication import bearer_token
from ..backends.base import get_strict_backend
from ..codec import decode_refresh, looks_like_refresh
from ..exceptions import SignInRefused, TokenInvalid, TokenRefused, TokenRevoked
from ..key_sources import JWKS_MAX_AGE
from ..keystore import key_ring, refresh_key_ring
from ..minting import SignedIn
from ..models import write_alias
from ..rotation import refresh, require_current
from ..sessions import sign_in
from ..standing import live_sessions
from ..subjects import subject_of_user
from ..throttles import RefreshThrottle, SignInThrottle, SignInUserThrottle
from ..verification import verified_claims
from . import serializers
from .base import OpenView


def tokens(signed_in: SignedIn) -> dict[str, Any]:
    """The body that carries new tokens."""
    return {
        "access": signed_in.access,
        "refresh": signed_in.refresh,
        "expires_in": signed_in.expires_in,
        "session": str(signed_in.session),
    }


class SignInView(OpenView):
    """Sign in with username and password; a new session on this device."""

    serializer_class = serializers.SignInSerializer
    throttle_classes = [SignInThrottle, SignInUserThrottle]

    def post(self, request: Request) -> Response:
        data = self.valid(request)
        name = get_user_model().USERNAME_FIELD
        # Django hashes once for an unknown name too, so that the time tells nobody apart.
        user = authenticate(request._request, **{name: data[name], "password": data["password"]})
        if user is None:
            raise SignInRefused("unknown, inactive, or a wrong password")
        return Response(tokens(sign_in(user, request._request, data.get("device", ""))))


class RefreshView(OpenView):
    """Exchange a refresh token for its successor and a new access token."""

    serializer_class = serializers.RefreshSerializer
    throttle_classes = [RefreshThrottle]

    def post(self, request: Request) -> Response:
        claims = decode_refresh(self.valid(request)["refresh"], refresh_key_ring())
        body = tokens(refresh(claims, request._request))
        del body["session"]
        return Response(body)


class VerifyView(OpenView):
    """Whether an access or refresh token lives at this moment. Rotates nothing."""

    serializer_class = serializers.VerifySerializer

    def post(self, request: Request) -> Response:
        token = self.valid(request)["token"]
        if looks_like_refresh(token):
            require_current(decode_refresh(token, refresh_key_ring()))
        else:
            get_strict_backend().check(verified_claims(token))
        return Response({})


class BlacklistView(OpenView):
    """End the session of a refresh token; a second time it is 401, as simplejwt's."""

    serializer_class = serializers.RefreshSerializer

    def post(self, request: Request) -> Response:
        claims = decode_refresh(self.valid(request)["refresh"], refresh_key_ring())
        live = live_sessions(write_alias()).filter(pk=claims.session_id)
        if not live.exists() or not end_session(claims.session_id):
            raise TokenRevoked("session ended before")
        return Response({})


class LogoutView(OpenView):
    """End this device's session, by access token or refresh token of any age or standing.

    Only authenticity counts: whoever holds an old token of a session may end that session, and
    a client that repeats a log-out is told again that it is out.
    """

    serializer_class = serializers.LogoutSerializer

    def post(self, request: Request) -> Response:
        refresh_token = self.valid(request).get("refresh")
        found = []
        actor = ""
        problem: Exception = exceptions.NotAuthenticated()
        try:
            raw = bearer_token(request)
            if raw is not None:
                claims = verified_claims(raw, expired_too=True)
                found.append(claims.sid)
                actor = subject_of_user(claims) or ""
        except (TokenRefused, exceptions.AuthenticationFailed) as error:
            problem = error
        try:
            if refresh_token:
                found.append(decode_refresh(refresh_token, refresh_key_ring()).session_id)
        except TokenInvalid as error:
            problem = error
        if not found:
            raise problem
        for session_id in dict.fromkeys(found):
            end_session(session_id, actor=actor)
        return Response(status=204)


class JWKSetRenderer(renderers.JSONRenderer):
    """For who asks for it by its own name (RFC 7517 §8.5)."""

    media_type = "application/jwk-set+json"
    format = "jwks"


class JWKSView(OpenView):
    """The public keys (RFC 7517); none while all keys are shared secrets.

    A key stands here before it signs, for longer than anybody may keep this answer, and until the
    last token that it signed has expired.
    """

    renderer_classes = [renderers.JSONRenderer, JWKSetRenderer]
    cache_control = f"public, max-age={JWKS_MAX_AGE}"

    def get(self, request: Request) -> Response:
        keys = (key.public for key in key_ring().keys)
        return Response({"keys": [public for public in keys if public is not None]})
