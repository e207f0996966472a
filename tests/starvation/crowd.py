"""Clients of a real server, by the hundred: one socket each, and all begin at one word."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

PATIENCE = 60
"""Seconds until a crowd that is not served is a failure."""


@dataclass(frozen=True)
class Answer:
    """What came back, and after how many seconds."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(
    path: str, body: Any = None, *, token: str = "", method: str = "", **headers: str
) -> bytes:
    """A request as its bytes: JSON where it has a body, and underscores for hyphens."""
    data = b"" if body is None else json.dumps(body).encode()
    fields = {"Host": "testserver", "User-Agent": "Crowd/1"}
    if body is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
    if token:
        fields["Authorization"] = f"Bearer {token}"
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    method = method or ("GET" if body is None else "POST")
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + data


def crowd(port: int, shares: Sequence[Sequence[bytes]]) -> list[list[Answer]]:
    """One client for each share, which sends its requests one after the other and returns what
    they were answered. All are connected before the first sends anything."""

    async def gather() -> list[list[Answer]]:
        word = asyncio.Barrier(len(shares))
        async with asyncio.timeout(PATIENCE):
            return await asyncio.gather(*[_client(port, share, word) for share in shares])

    return asyncio.run(gather())


async def _client(port: int, share: Sequence[bytes], word: asyncio.Barrier) -> list[Answer]:
    answers: list[Answer] = []
    streams = await asyncio.open_connection("127.0.0.1", port)
    try:
        await word.wait()
        for message in share:
            if answers and answers[-1].headers.get("connection") == "close":
                streams[1].close()
                streams = await asyncio.open_connection("127.0.0.1", port)
            answers.append(await _answer(*streams, message))
    finally:
        streams[1].close()
    return answers


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: bytes
) -> Answer:
    began = time.monotonic()
    writer.write(message)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    lines = [line.split(": ", 1) for line in head[1:] if line]
    fields = {name.lower(): value for name, value in lines}
    body = await reader.readexactly(int(fields.get("content-length", 0)))
    return Answer(int(head[0].split()[1]), fields, body, time.monotonic() - began)


def figures(what: str, answers: Sequence[Answer]) -> None:
    """One line for who runs with ``-rP``."""
    longest = max(answer.seconds for answer in answers)
    print(f"{what}: {len(answers)} answers, the longest after {longest:.2f} s")
