"""Who is measured. Another system is another module, and its name here.

Nobody is imported before one of its methods is called: what is not installed is not in the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from benchmarks.contenders import (
    allauth,
    drf_tokens,
    knox,
    nobody,
    oauth_toolkit,
    ours,
    sessions,
    simplejwt,
)
from benchmarks.contenders.base import (
    CHECK,
    HTTP,
    MEMORY,
    REFUSAL,
    RESTART,
    WORKERS,
    WRITES,
    Contender,
    Credential,
    State,
    Unsupported,
)

__all__ = [
    "CHECK",
    "CONTENDERS",
    "HTTP",
    "MEMORY",
    "REFUSAL",
    "RESTART",
    "WORKERS",
    "WRITES",
    "Contender",
    "Credential",
    "State",
    "Unsupported",
]

CONTENDERS: Final[Mapping[str, Contender]] = {
    contender.name: contender
    for module in (ours, simplejwt, knox, drf_tokens, sessions, allauth, oauth_toolkit, nobody)
    for contender in module.CONTENDERS
}
