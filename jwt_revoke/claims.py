"""What is inside an access token (DESIGN §5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from .exceptions import TokenInvalid

CANARY: Final = "canary"
"""``True`` in the tokens that ``manage.py jwt_revoke canary`` measures with, and in no other."""

RESERVED: Final = frozenset(
    {
        *("iss", "aud", "sub", "sid", "jti", "iat", "exp", "nbf", "auth_time"),
        *("ver", "gen", "client_id", "token_type", CANARY),
    }
)
"""Ours: the site's own claims may not use these names."""

MAX_ID_LENGTH: Final = 255
_MAX_INTEGER: Final = 2**63 - 1
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
"""Databases refuse these in a parameter, which would be an error instead of an answer."""


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of one verified access token; times are whole seconds since 1970.

    Reads like a mapping too, so that ``request.auth["role"]`` gives a claim of the site's own.
    """

    sub: str
    sid: UUID
    jti: str
    iat: int
    exp: int
    auth_time: int
    ver: int
    gen: int
    payload: Mapping[str, Any] = field(repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.payload[name]

    def __contains__(self, name: object) -> bool:
        return name in self.payload

    def get(self, name: str, default: Any = None) -> Any:
        """The claim ``name``, or ``default``."""
        return self.payload.get(name, default)

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Claims:
        """Claims from a payload whose signature was verified.

        Raises ``TokenInvalid`` for a missing claim or one of another type: PyJWT takes an
        ``exp`` given as text, and ``True`` is an ``int`` to Python.
        """
        if payload.get("token_type") != "access":
            raise TokenInvalid("token_type is not access")
        return cls(
            sub=_text(payload, "sub"),
            sid=_uuid(payload, "sid"),
            jti=_text(payload, "jti"),
            iat=_integer(payload, "iat"),
            exp=_integer(payload, "exp"),
            auth_time=_integer(payload, "auth_time"),
            ver=_integer(payload, "ver"),
            gen=_integer(payload, "gen"),
            payload=MappingProxyType(dict(payload)),
        )


def _text(payload: Mapping[str, Any], name: str) -> str:
    value = payload.get(name)
    if (
        not isinstance(value, str)
        or not 0 < len(value) <= MAX_ID_LENGTH
        or _UNSTORABLE.search(value)
    ):
        raise TokenInvalid(f"{name} is not a text of 1 to {MAX_ID_LENGTH} characters")
    return value


def _integer(payload: Mapping[str, Any], name: str) -> int:
    value = payload.get(name)
    if type(value) is not int or not 0 <= value <= _MAX_INTEGER:
        raise TokenInvalid(f"{name} is not a whole number of 64 bits")
    return value


def _uuid(payload: Mapping[str, Any], name: str) -> UUID:
    value = _text(payload, name)
    try:
        parsed = UUID(value)
    except ValueError:
        raise TokenInvalid(f"{name} is not a UUID") from None
    if str(parsed) != value:
        raise TokenInvalid(f"{name} is not a UUID in its canonical form")
    return parsed
