"""A fixed piece of work to measure in: what differs between builds of Python cancels out.

Of what a check is made of: calls, look-ups, small objects, base64, JSON. Standard library alone,
and no OpenSSL: a release of PyJWT, or of that, must not seem a change of ours. Never change it:
every stored figure is in units of it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

_DOCUMENT = base64.urlsafe_b64encode(
    json.dumps({"sub": "1", "jti": "0" * 36, "iat": 1_700_000_000, "roles": ["a", "b"]}).encode()
)


@dataclass(frozen=True, slots=True)
class _Said:
    subject: str
    issued: int
    rest: dict[str, Any]

    @classmethod
    def of(cls, payload: dict[str, Any]) -> _Said:
        return cls(payload["sub"], int(payload["iat"]), payload)

    @property
    def end(self) -> float:
        return min(self.issued + 300.0, self.issued * 2.0)


def yardstick(_argument: object = None) -> float:
    """One unit."""
    ends = {}
    for number in range(4):
        said = _Said.of(json.loads(base64.urlsafe_b64decode(_DOCUMENT)))
        kind, _, name = f"Bearer {said.subject}-{number}".partition(" ")
        if kind.lower() == "bearer" and isinstance(said.rest.get("jti"), str):
            ends[name] = said.end
    return sum(ends.values())
