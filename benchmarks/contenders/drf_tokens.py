"""The tokens that come with REST framework: one for each user, which never expires."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.contenders.base import MOST, Contender, Credential


class DRFToken(Contender):
    """As its log-in view does it. All of a user's devices share the token, and its end."""

    def sign_in(self, user: Any) -> Credential:
        from rest_framework.authtoken.models import Token

        token, _created = Token.objects.get_or_create(user=user)
        return Credential(f"Token {token.key}", token.key)

    def end(self, credential: Credential) -> None:
        from rest_framework.authtoken.models import Token

        Token.objects.filter(key=credential.key).delete()

    def end_all(self, user: Any) -> None:
        from rest_framework.authtoken.models import Token

        Token.objects.filter(user=user).delete()


CONTENDERS: Final[list[Contender]] = [
    DRFToken(
        name="DRF token",
        parts=MOST,
        bound=0.0,
        authentication_class="rest_framework.authentication.TokenAuthentication",
        apps=("rest_framework.authtoken",),
        tables=("authtoken_token",),
    )
]
