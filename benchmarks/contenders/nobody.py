"""Sites that let anybody in: no API that authenticates can be quicker, and none that reads the
user's row quicker than the one that does nothing else.
"""

from __future__ import annotations

from typing import Any, Final

from django.db import connection

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


class Row(Somebody):
    """A user's row, as it comes."""

    def __init__(self, pk: int, username: str, role: str) -> None:
        self.pk, self.username, self.role = pk, username, role

    def get_username(self) -> str:
        """As Django's users say it."""
        return self.username


class ReadOne(LetIn):
    """One SELECT by key, by Django's cursor and without the ORM."""

    def authenticate(self, request: Any) -> tuple[Somebody, None]:
        """The user whose key comes after the scheme."""
        key = request.headers["Authorization"].split()[-1]
        with connection.cursor() as cursor:
            cursor.execute(_SELECT, [key])
            return Row(*cursor.fetchone()), None


_SELECT: Final = "SELECT id, username, role FROM accounts_user WHERE id = %s"


class Nobody(Contender):
    """Signs in, and out, without doing anything."""

    def sign_in(self, user: Any) -> Credential:
        return Credential(f"Bearer {user.pk}")

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
    ),
    Nobody(
        name="floor: reads a row",
        parts=frozenset({HTTP, WORKERS}),
        authentication_class=f"{__name__}.ReadOne",
    ),
]
