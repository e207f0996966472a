"""Valgrind's callgrind, told by the counted process itself when to count.

Until then a process runs under it at a quarter of its speed, and not at a fiftieth.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.services.server import ServiceMissing, find_binary

ENDS_WITHIN = 300
ALLOCATING = {"malloc", "calloc", "realloc"}

# What valgrind.h has for x86-64: a no-op to a processor, to valgrind a request.
_REQUEST = bytes.fromhex(
    "4889f8"  # mov rax, rdi: the address of the request and its arguments
    "31d2"  # xor edx, edx: the answer outside valgrind
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi by 3, 13, 61, 51: as it was
    "4887db"  # xchg rbx, rbx
    "4889d0"  # mov rax, rdx: the answer
    "c3"  # ret
)
_PROTECTION = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
_RUNNING_ON_VALGRIND = 0x1001
_DUMP_STATS_AT = 0x43540003
_START_INSTRUMENTATION = 0x43540004
_STOP_INSTRUMENTATION = 0x43540005


class Counter:
    """In the counted process: counts what is done between ``start`` and ``stop``."""

    def __init__(self) -> None:
        self._code = mmap.mmap(-1, mmap.PAGESIZE, prot=_PROTECTION)
        self._code.write(_REQUEST)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._code))
        self._ask = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(address)
        if not self._request(_RUNNING_ON_VALGRIND):
            raise RuntimeError("not under valgrind")

    def start(self) -> None:
        self._request(_START_INSTRUMENTATION)

    def stop(self, name: str) -> None:
        """What was counted since goes by that name."""
        text = ctypes.create_string_buffer(name.encode())
        self._request(_DUMP_STATS_AT, ctypes.addressof(text))
        self._request(_STOP_INSTRUMENTATION)

    def _request(self, code: int, argument: int = 0) -> int:
        arguments = (ctypes.c_uint64 * 6)(code, argument)
        answer: int = self._ask(ctypes.addressof(arguments))
        return answer


@dataclass(frozen=True)
class Counts:
    """Of everything between a ``start`` and its ``stop``."""

    instructions: int
    allocations: int


def find() -> str:
    """The program. Raises ``ServiceMissing``."""
    if platform.machine() != "x86_64":
        raise ServiceMissing(
            f"instructions are counted on x86-64, and this is {platform.machine()}"
        )
    return find_binary("valgrind", package="valgrind")


def run(
    command: Sequence[str], environment: Mapping[str, str], cwd: Path, folder: Path
) -> dict[str, Counts]:
    """Run a program that counts, and read its files in ``folder``, which was empty."""
    options = ["--quiet", "--tool=callgrind", "--instr-atstart=no"]
    options += [f"--callgrind-out-file={folder}/out"]
    done = subprocess.run(
        [find(), *options, *command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=ENDS_WITHIN,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Under valgrind it failed:\n{done.stdout[-2000:]}")
    return dict(read(path.read_text()) for path in folder.glob("out.*"))


def read(text: str) -> tuple[str, Counts]:
    """The name and the counts of a file that ``stop`` wrote."""
    name = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
    # Not "summary:", which is wrong after a second start.
    total = re.search(r"^totals: (\d+)", text, re.MULTILINE)
    if name is None or total is None:
        raise ValueError(f"no file of callgrind's: {text[:200]}")
    return name[1], Counts(int(total[1]), _calls(text, ALLOCATING))


def _calls(text: str, wanted: set[str]) -> int:
    """How often functions of these names were called.

    A name is written where its number comes up first: ``cfn=(12) malloc``, then ``cfn=(12)``.
    """
    names: dict[str, str] = {}
    calls, called = 0, ""
    for key, number, name, times in _LINE.findall(text):
        if number and name:
            names[number] = name.partition("'")[0]  # 'malloc'2' is one called by itself
        if key == "cfn":
            called = names[number]
        elif times and called in wanted:
            calls += int(times)
    return calls


_LINE = re.compile(r"^(?:(c?fn)=(\(\d+\))(?: (.*))?|calls=(\d+).*)$", re.MULTILINE)
