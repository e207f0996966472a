"""A site that lets anybody in and looks at nothing: no API that authenticates can be quicker."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.contenders.base import HTTP, WORKERS, Contender, Credential, Unsupported


class Somebody:
    """Whoever it is."""

    pk = 1
    is_authenticated = True


class LetIn:
    """Shaped as REST framework asks an authentication class to be."""

    def authenticate(self, _request: Any) -> tuple[Somebody, None]:
        """Whatever it brings."""
        return _SOMEBODY, None

    def authenticate_header(self, _request: Any) -> str:
        """Nobody is refused."""
        return "Bearer"


_SOMEBODY: Final = Somebody()


class Nobody(Contender):
    """Signs in, and out, without doing anything."""

    def sign_in(self, user: Any) -> Credential:
        return Credential("Bearer anybody")

    def end(self, credential: Credential) -> None:
        raise Unsupported

    def end_all(self, user: Any) -> None:
        raise Unsupported


CONTENDERS: Final[list[Contender]] = [
    Nobody(
        name="floor: lets anybody in",
        parts=frozenset({HTTP, WORKERS}),
        authentication_class=f"{__name__}.LetIn",
        has_row=False,
    )
]
