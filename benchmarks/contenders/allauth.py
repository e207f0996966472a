"""django-allauth, headless, with its JWTs: each belongs to a session of Django's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.contenders.base import MOST, Contender, Credential
from benchmarks.contenders.sessions import MIDDLEWARE, request_of_session
from benchmarks.contenders.signing import LIFETIME


@dataclass(frozen=True, eq=False, kw_only=True)
class Allauth(Contender):
    """With ``usersessions``, which lists a user's sessions so that all can be ended.

    Signed with HS256 like the others, not with its default RS256.
    """

    stateful: bool
    authentication_class: str = (
        "allauth.headless.contrib.rest_framework.authentication.JWTTokenAuthentication"
    )
    apps: tuple[str, ...] = (
        "django.contrib.sessions",
        "allauth",
        "allauth.account",
        "allauth.headless",
        "allauth.usersessions",
    )
    middleware: tuple[str, ...] = (*MIDDLEWARE, "allauth.account.middleware.AccountMiddleware")
    tables: tuple[str, ...] = ("django_session", "usersessions_usersession")
    most_sessions: int = 100
    """Each log-in looks at every session of its user: a thousand take a quarter of an hour."""

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "HEADLESS_ONLY": True,
            "HEADLESS_TOKEN_STRATEGY": "allauth.headless.tokens.strategies.jwt.JWTTokenStrategy",
            "HEADLESS_JWT_ALGORITHM": "HS256",
            "HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN": int(LIFETIME.total_seconds()),
            "HEADLESS_JWT_STATEFUL_VALIDATION_ENABLED": self.stateful,
        }

    def sign_in(self, user: Any) -> Credential:
        """Its log-in after the password, without the stages for e-mail addresses and codes."""
        from allauth.account.adapter import get_adapter
        from allauth.account.signals import user_logged_in
        from allauth.core.context import request_context
        from allauth.headless import app_settings

        request = request_of_session()
        with request_context(request):
            get_adapter().login(request, user)
            user_logged_in.send(sender=type(user), request=request, user=user)
            found = app_settings.TOKEN_STRATEGY.create_access_token_payload(request)
            request.session.save()
        return Credential(
            f"Bearer {found['access_token']}",
            str(request.session.session_key),
            found["refresh_token"],
        )

    def again(self, credential: Credential, count: int) -> list[str]:
        from allauth.headless.tokens.strategies.jwt import internal

        payload = internal.decode_token(credential.token, "access")
        assert payload is not None
        tokens = (
            internal.create_token(
                "access",
                sub=payload["sub"],
                sid=payload["sid"],
                expires_in=int(LIFETIME.total_seconds()),
            )
            for _ in range(count)
        )
        return [f"Bearer {token}" for token, _payload in tokens]

    def refresh(self, credential: Credential) -> Credential:
        """As ``RefreshTokenView`` does."""
        from allauth.headless import app_settings

        access, refresh = app_settings.TOKEN_STRATEGY.refresh_token(credential.refresh)
        return Credential(f"Bearer {access}", credential.key, refresh)

    def end(self, credential: Credential) -> None:
        from allauth.account.adapter import get_adapter

        get_adapter().logout(request_of_session(credential.key))

    def end_all(self, user: Any) -> None:
        """As its list of sessions does with all that it shows."""
        from allauth.usersessions.adapter import get_adapter
        from allauth.usersessions.models import UserSession

        get_adapter().end_sessions(UserSession.objects.purge_and_list(user))


CONTENDERS: Final[list[Contender]] = [
    Allauth(name="allauth JWT", parts=MOST, stateful=False),
    Allauth(name="allauth JWT, stateful", parts=MOST, bound=0.0, stateful=True),
]
