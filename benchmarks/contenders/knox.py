"""django-rest-knox: opaque tokens, their hashes in a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from benchmarks.contenders.base import EVERYWHERE, Contender, Credential


class Knox(Contender):
    """As it comes: a token lives for ten hours, and is not renewed by its use."""

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"REST_KNOX": {}}

    def sign_in(self, user: Any) -> Credential:
        from knox.models import AuthToken

        row, token = AuthToken.objects.create(user)
        return Credential(f"Token {token}", row.digest)

    def end(self, credential: Credential) -> None:
        from knox.models import AuthToken

        AuthToken.objects.filter(digest=credential.key).delete()

    def end_all(self, user: Any) -> None:
        user.auth_token_set.all().delete()


CONTENDERS: Final[list[Contender]] = [
    Knox(
        name="knox",
        parts=EVERYWHERE,
        bound=0.0,
        authentication_class="knox.auth.TokenAuthentication",
        apps=("knox",),
        tables=("knox_authtoken",),
    )
]
