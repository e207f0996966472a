"""What the tests that make their input up have in common.

The same examples each time, so that a run says nothing about luck. Many more, by hand:
``JWT_REVOKE_FUZZ_EXAMPLES=20000 pytest tests/attacks -k fuzzing``.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any, Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st


def examples(number: int) -> Callable[[Any], Any]:
    """That many, or what the environment asks for. A fixture serves all examples of its test."""
    return settings(
        max_examples=int(os.environ.get("JWT_REVOKE_FUZZ_EXAMPLES", number)),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


ANY_CHARACTER: Final = st.characters(exclude_categories=())
"""Surrogates too."""
any_text: Final = st.text(ANY_CHARACTER, max_size=20)
odd_numbers: Final = st.sampled_from(
    [0, -1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**300, 0.0, -0.0, 1e308, 2e9, True]
)
scalars: Final = st.one_of(
    st.none(), st.booleans(), st.integers(), odd_numbers, st.floats(allow_nan=False), any_text
)
values: Final = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=2),
    max_leaves=4,
)
"""Whatever JSON can say, and an infinity now and then."""


@st.composite
def objects(draw: st.DrawFn, genuine: dict[str, Any], others: tuple[str, ...] = ()) -> Any:
    """``genuine`` with names that are missing, names of another value, and names of nobody's."""
    names = st.sampled_from([*genuine, *others])
    found = {**genuine}
    # One thing at a time for the most part: where several are wrong, one hides the other.
    for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
        match draw(st.sampled_from(["gone", "of another value", "another value", "of nobody's"])):
            case "gone":
                found.pop(draw(names), None)
            case "of nobody's":
                found[draw(any_text)] = draw(values)
            case _:
                found[draw(names)] = draw(st.one_of(scalars, values))
    return found


BITS_OF_JSON: Final = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b'"',
        b":",
        b",",
        b"\\",
        b"\\u",
        b"NaN",
        b"1e400",
        b"-",
        b"\0",
        b"\xff",
        b" ",
    ]
)


@st.composite
def mutations(draw: st.DrawFn, genuine: bytes, pieces: st.SearchStrategy[bytes]) -> bytes:
    """``genuine`` with up to three things cut out, put in, written over or said twice."""
    data = genuine
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 0, 1, 1, 2, 8, len(data)]))
        piece = draw(st.one_of(st.just(b""), pieces, st.just(data[at : at + 20])))
        data = data[:at] + piece + data[at + length :]
    return data


def within_texts(genuine: bytes, pieces: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """``genuine`` JSON with something more at the beginning of one of its texts."""
    spots = [found.end() for found in re.finditer(rb'": ?"', genuine)]
    return st.tuples(st.sampled_from(spots), pieces).map(
        lambda put: genuine[: put[0]] + put[1] + genuine[put[0] :]
    )


def written(value: Any) -> bytes:
    """As JSON, as Python writes it: ``NaN`` is ``NaN`` and half a surrogate pair is escaped."""
    return json.dumps(value).encode()
