"""What somebody signed in does with their sessions and their password."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from .. import sessions
from ..actor import set_actor
from ..api import end_session, revoke_user
from ..authentication import TokenNotValid, authenticate_token, bearer_token, refused
from ..exceptions import TokenRefused
from ..log import Cause, publish_again
from ..models import DeviceSession, write_alias
from ..standing import all_ended_since, live_sessions
from ..throttles import PasswordThrottle, PasswordUserThrottle
from ..verification import verified_claims
from . import serializers
from .base import OpenView, SignedInView
from .token_views import tokens

MAX_LISTED: Final = 200
"""Sessions in one answer. Who has more (a job that signs in anew each time) sees the last used."""


class LogoutAllView(OpenView):
    """Log out everywhere; with ``keep_current`` this device goes on with new tokens."""

    serializer_class = serializers.LogoutAllSerializer

    def post(self, request: Request) -> Response:
        keep = self.valid(request)["keep_current"]
        raw = bearer_token(request)
        if raw is None:
            raise exceptions.NotAuthenticated
        try:
            user, claims = authenticate_token(raw)
        except TokenNotValid:
            # Asked again because the first answer got lost: what was asked for has been done.
            # Any other dead token is refused, or a thief's would end sessions for ever.
            if not keep and _was_done(raw):
                return Response(status=204)
            raise
        set_actor(user)
        if keep:
            cause = Cause.of("logout_all", user)
            try:
                signed_in = sessions.replace_session(user, claims, request._request, cause)
            except TokenRefused as error:
                raise refused(error) from None
            return Response(tokens(signed_in))
        revoke_user(user, reason="logout_all", actor=user)
        return Response(status=204)


class SessionListView(SignedInView):
    """The devices on which the caller is signed in, the last used first."""

    serializer_class = serializers.SessionSerializer

    def get_queryset(self) -> QuerySet[DeviceSession]:
        """The caller's live sessions. (The browsable API asks for it too.)"""
        live = live_sessions(write_alias()).filter(user_id=self.user.pk)
        return live.order_by("-last_used_at")[:MAX_LISTED]

    def get(self, request: Request) -> Response:
        return Response(self.get_serializer(self.get_queryset(), many=True).data)


class SessionView(SignedInView):
    """Name one device, or sign it out. Somebody else's is 404, as one that never was."""

    serializer_class = serializers.SessionSerializer

    def patch(self, request: Request, session_id: str) -> Response:
        session = self._session(request, session_id)
        serializer = self.get_serializer(session, data=request.data)
        serializer.is_valid(raise_exception=True)
        if not sessions.rename_session(session, serializer.validated_data["name"]):
            raise Http404
        return Response(serializer.data)

    def delete(self, request: Request, session_id: str) -> Response:
        end_session(self._session(request, session_id), actor=self.user)
        return Response(status=204)

    def _session(self, request: Request, session_id: str) -> DeviceSession:
        rows = live_sessions(write_alias()).filter(user_id=self.user.pk)
        try:
            session = rows.filter(pk=UUID(session_id)).first()
        except ValueError:
            session = None
        if session is None:
            raise Http404
        return session


class PasswordChangeView(SignedInView):
    """A new password: every session ends, this device goes on with new tokens."""

    serializer_class = serializers.PasswordChangeSerializer
    throttle_classes = [PasswordThrottle, PasswordUserThrottle]

    def post(self, request: Request) -> Response:
        new_password = self.valid(request)["new_password"]
        signed_in = sessions.change_password(
            self.user, self.claims.sid, new_password, request._request
        )
        return Response(tokens(signed_in))


class ReauthenticateView(SignedInView):
    """The password once more, for an access token with a new ``auth_time`` (s23)."""

    serializer_class = serializers.ReauthenticateSerializer
    throttle_classes = [PasswordThrottle, PasswordUserThrottle]

    def post(self, request: Request) -> Response:
        self.valid(request)
        access, expires_in = sessions.reauthenticate(self.user, self.claims.sid)
        return Response({"access": access, "expires_in": expires_in})


def _was_done(raw: str) -> bool:
    using = write_alias()
    try:
        done = all_ended_since(using, verified_claims(raw, expired_too=True))
    except TokenRefused:
        return False
    if done:
        publish_again(using)
    return done
