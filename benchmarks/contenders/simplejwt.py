"""djangorestframework-simplejwt, with what its documentation offers against stolen tokens.

Where anything can be logged out its ``token_blacklist`` is installed, and refresh tokens rotate and
are blacklisted after it, as its documentation recommends. Without, there is nothing to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from benchmarks.contenders.base import (
    CHECK,
    EVERYWHERE,
    GROWTH,
    MOST,
    Contender,
    Credential,
    Unsupported,
)
from benchmarks.contenders.signing import LIFETIME, private_key, public_key

_STATELESS: Final = "rest_framework_simplejwt.authentication.JWTStatelessUserAuthentication"
_DEFAULT: Final = "rest_framework_simplejwt.authentication.JWTAuthentication"
_BLACKLIST: Final = "rest_framework_simplejwt.token_blacklist"
_SITE: Final = "benchmarks.contenders.simplejwt_site"


@dataclass(frozen=True, eq=False, kw_only=True)
class SimpleJWT(Contender):
    """Its refresh tokens blacklisted; its access tokens live until they expire."""

    apps: tuple[str, ...] = (_BLACKLIST,)
    tables: tuple[str, ...] = (
        "token_blacklist_outstandingtoken",
        "token_blacklist_blacklistedtoken",
    )
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> Mapping[str, Any]:
        blacklists = _BLACKLIST in self.apps
        theirs = {
            "ACCESS_TOKEN_LIFETIME": LIFETIME,
            "ROTATE_REFRESH_TOKENS": blacklists,
            "BLACKLIST_AFTER_ROTATION": blacklists,
            **self.changes,
        }
        if self.algorithm != "HS256":
            theirs["ALGORITHM"] = self.algorithm
            theirs["SIGNING_KEY"] = private_key(self.algorithm)
            theirs["VERIFYING_KEY"] = public_key(self.algorithm)
        return {"SIMPLE_JWT": theirs}

    def sign_in(self, user: Any) -> Credential:
        return self._credential(self._refresh_class().for_user(user))

    def again(self, credential: Credential, count: int) -> list[str]:
        from rest_framework_simplejwt.state import token_backend

        payload = token_backend.decode(credential.token)
        tokens = (token_backend.encode({**payload, "jti": uuid4().hex}) for _ in range(count))
        return [f"Bearer {token}" for token in tokens]

    def refresh(self, credential: Credential) -> Credential:
        serializer = self._serializer_class()(data={"refresh": credential.refresh})
        serializer.is_valid(raise_exception=True)
        found = serializer.validated_data
        return Credential(
            f"Bearer {found['access']}", refresh=found.get("refresh", credential.refresh)
        )

    def end(self, credential: Credential) -> None:
        """As ``TokenBlacklistView`` does."""
        from rest_framework_simplejwt.serializers import TokenBlacklistSerializer

        self._require_blacklist()
        serializer = TokenBlacklistSerializer(data={"refresh": credential.refresh})
        serializer.is_valid(raise_exception=True)

    def end_all(self, user: Any) -> None:
        """Token by token, as it has no other way."""
        from rest_framework_simplejwt.token_blacklist.models import (
            BlacklistedToken,
            OutstandingToken,
        )

        self._require_blacklist()
        for token in OutstandingToken.objects.filter(user=user):
            BlacklistedToken.objects.get_or_create(token=token)

    def _require_blacklist(self) -> None:
        if _BLACKLIST not in self.apps:
            raise Unsupported("there is no token_blacklist")

    def _refresh_class(self) -> Any:
        from rest_framework_simplejwt.tokens import RefreshToken

        return RefreshToken

    def _serializer_class(self) -> Any:
        from rest_framework_simplejwt.serializers import TokenRefreshSerializer

        return TokenRefreshSerializer

    def _credential(self, refresh: Any) -> Credential:
        return Credential(f"Bearer {refresh.access_token}", refresh=str(refresh))


class Blacklisting(SimpleJWT):
    """Its access tokens are in the blacklist too, and looked up there by each request."""

    def end(self, credential: Credential) -> None:
        from benchmarks.contenders.simplejwt_site import RevocableAccessToken

        RevocableAccessToken(credential.token).blacklist()
        super().end(credential)

    def _refresh_class(self) -> Any:
        from benchmarks.contenders.simplejwt_site import RevocableRefreshToken

        return RevocableRefreshToken

    def _serializer_class(self) -> Any:
        from benchmarks.contenders.simplejwt_site import RevocableRefreshSerializer

        return RevocableRefreshSerializer


class Denylisting(SimpleJWT):
    """The id of an access token that was ended is in Redis until it expires.

    Nothing lists the access tokens of a user: those of a log-out everywhere live on.
    """

    def end(self, credential: Credential) -> None:
        from benchmarks.contenders.simplejwt_site import deny

        deny(credential.token)
        super().end(credential)


CONTENDERS: Final[list[Contender]] = [
    SimpleJWT(
        name="simplejwt stateless",
        parts=EVERYWHERE,
        authentication_class=_STATELESS,
        apps=(),
        tables=(),
        has_row=False,
    ),
    SimpleJWT(name="simplejwt default", parts=EVERYWHERE | {GROWTH}, authentication_class=_DEFAULT),
    SimpleJWT(
        name="simplejwt CHECK_REVOKE_TOKEN",
        parts=MOST,
        authentication_class=_DEFAULT,
        changes={"CHECK_REVOKE_TOKEN": True},
    ),
    Blacklisting(
        name="simplejwt blacklist",
        parts=EVERYWHERE,
        bound=0.0,
        authentication_class=_DEFAULT,
        changes={"AUTH_TOKEN_CLASSES": [f"{_SITE}.RevocableAccessToken"]},
    ),
    Denylisting(
        name="simplejwt stateless + Redis",
        parts=EVERYWHERE,
        bound=0.0,
        authentication_class=f"{_SITE}.DenylistAuthentication",
        has_row=False,
    ),
    SimpleJWT(
        name="simplejwt RS256",
        parts=frozenset({CHECK}),
        authentication_class=_STATELESS,
        apps=(),
        tables=(),
        has_row=False,
        algorithm="RS256",
    ),
]
