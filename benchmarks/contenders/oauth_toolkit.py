"""django-oauth-toolkit: opaque tokens of one public client, as an app of one's own would be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from benchmarks.contenders.base import MOST, Contender, Credential
from benchmarks.contenders.signing import LIFETIME

_CLIENT: Final = "benchmark"


class OAuthToolkit(Contender):
    """Refresh tokens rotate, as they do by default."""

    @property
    def settings(self) -> Mapping[str, Any]:
        seconds = int(LIFETIME.total_seconds())
        return {"OAUTH2_PROVIDER": {"ACCESS_TOKEN_EXPIRE_SECONDS": seconds}}

    def sign_in(self, user: Any) -> Credential:
        """What its endpoint does at the end of an authorization: the one that saves the tokens."""
        from oauth2_provider.oauth2_validators import OAuth2Validator
        from oauthlib.common import Request, generate_token

        request = Request("/o/token/")
        request.client, request.user = _application(), user
        request.grant_type = "authorization_code"
        token = {
            "access_token": generate_token(),
            "refresh_token": generate_token(),
            "expires_in": int(LIFETIME.total_seconds()),
            "scope": "read write",
        }
        OAuth2Validator().save_bearer_token(token, request)
        return _credential(token)

    def refresh(self, credential: Credential) -> Credential:
        form = {"grant_type": "refresh_token", "refresh_token": credential.refresh}
        return _credential(json.loads(_posted("TokenView", form)))

    def end(self, credential: Credential) -> None:
        _posted("RevokeTokenView", {"token": credential.refresh})

    def end_all(self, user: Any) -> None:
        """Token by token, as it has no other way."""
        from oauth2_provider.models import get_refresh_token_model

        for token in get_refresh_token_model().objects.filter(user=user, revoked__isnull=True):
            token.revoke()


def _application() -> Any:
    from oauth2_provider.models import get_application_model

    model = get_application_model()
    application, _created = model.objects.get_or_create(
        client_id=_CLIENT,
        defaults={
            "client_type": model.CLIENT_PUBLIC,
            "authorization_grant_type": model.GRANT_AUTHORIZATION_CODE,
            "redirect_uris": "https://localhost/",
        },
    )
    return application


def _credential(token: Mapping[str, Any]) -> Credential:
    return Credential(f"Bearer {token['access_token']}", refresh=token["refresh_token"])


def _posted(view: str, form: Mapping[str, Any]) -> bytes:
    from django.test import RequestFactory
    from oauth2_provider import views

    factory = RequestFactory(SERVER_NAME="127.0.0.1")
    request = factory.post("/o/", {**form, "client_id": _CLIENT})
    response = getattr(views, view).as_view()(request)
    if response.status_code != 200:
        raise RuntimeError(f"{view} answered {response.status_code}: {response.content!r}")
    content: bytes = response.content
    return content


CONTENDERS: Final[list[Contender]] = [
    OAuthToolkit(
        name="oauth-toolkit",
        parts=MOST,
        bound=0.0,
        authentication_class="oauth2_provider.contrib.rest_framework.OAuth2Authentication",
        apps=("oauth2_provider",),
        tables=("oauth2_provider_accesstoken", "oauth2_provider_refreshtoken"),
    )
]
