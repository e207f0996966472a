"""What a site adds to simplejwt by itself. Imported by its path, where simplejwt is installed."""

from __future__ import annotations

import time
from typing import Any, Final

from django.core.cache import cache
from rest_framework_simplejwt.authentication import JWTStatelessUserAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.serializers import TokenRefreshSerializer
from rest_framework_simplejwt.tokens import AccessToken, BlacklistMixin, RefreshToken

_PREFIX: Final = "denied:"


class RevocableAccessToken(BlacklistMixin, AccessToken):
    """Looked up in the blacklist whenever it is verified."""


class RevocableRefreshToken(RefreshToken):
    """Its access tokens are outstanding, or a log-out everywhere would miss them."""

    access_token_class = RevocableAccessToken

    @property
    def access_token(self) -> Any:
        token = super().access_token
        token.outstand()
        return token


class RevocableRefreshSerializer(TokenRefreshSerializer):
    """The same at a refresh."""

    token_class = RevocableRefreshToken


class DenylistAuthentication(JWTStatelessUserAuthentication):
    """One look-up in Redis for each request."""

    def get_validated_token(self, raw_token: bytes) -> Any:
        token = super().get_validated_token(raw_token)
        if f"{_PREFIX}{token['jti']}" in cache:
            raise InvalidToken("Token is revoked")
        return token


def deny(raw_token: str) -> None:
    """Until it expires."""
    token = AccessToken(raw_token)
    cache.set(f"{_PREFIX}{token['jti']}", 1, timeout=token["exp"] - int(time.time()) + 1)
