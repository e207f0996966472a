"""The records of a run as they are made: one file that all processes append to and follow.

A file and not pipes: what a process wrote is there when it is killed in the same moment, and a
reader learns of a token at its own pace. A line is one ``write()`` to a file opened for appending,
so lines of different processes do not mix.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.faults.records import Read, Record, Refresh, Revocation, SignIn


@dataclass(frozen=True, slots=True)
class Notice:
    """These tokens are about to be revoked: whoever reads should be asking just then."""

    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rush:
    """This refresh token is about to be used: whoever can uses it too, at once."""

    session: str
    text: str
    by: str


Message = Record | Notice | Rush

_KINDS: Final[dict[str, type[Any]]] = {
    kind.__name__: kind for kind in (SignIn, Read, Refresh, Revocation, Notice, Rush)
}


class Board:
    """Append to it with ``write``; ``fresh`` gives what has been added since it was last asked."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._position = 0
        self._rest = b""

    def write(self, record: Message) -> None:
        values = dataclasses.asdict(record)
        os.write(self._file, json.dumps([type(record).__name__, values]).encode() + b"\n")

    def fresh(self) -> Iterator[Message]:
        while chunk := os.pread(self._file, 1 << 20, self._position):
            self._position += len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            for line in lines:
                kind, values = json.loads(line)
                for name in ("subjects", "tokens"):
                    if name in values:
                        values[name] = tuple(values[name])
                yield _KINDS[kind](**values)

    def close(self) -> None:
        os.close(self._file)
