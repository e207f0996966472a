"""A comparison that ends at the first difference tells how far a guess was right (CWE-208).

Each secret is compared by ``hmac.compare_digest`` or by the library that verifies it. Read from
the source, since a test that measures nanoseconds would be one that fails now and then.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

import jwt_revoke

PACKAGE = Path(jwt_revoke.__file__).parent
SECRET = re.compile(
    r"(?:^|_)(?:password|passphrase|secret|token|digest|mac|hmac|signature|fingerprint|hash"
    r"|raw|encoded|material|access|refresh|verified|pem|signs|private)s?$"
)
"""The end of what is named so holds a secret, or what one is verified by."""
NO_SECRETS = {
    "claims.jti in self.tokens",  # an id, of a token whose signature was verified before
    "ring == copy.access",  # two of this process's own rings: did any key come or go
    # Over what the admin shows of an account: who has it learns which fields are watched.
    "recorded.account_fingerprint != account_fingerprint(user)",
}
SHOULD_SEE = """
a.password_fingerprint == b
password_fingerprint(user) != known
token in tokens
hmac.digest(key, head, "sha256") == mac
x < y == row["signature"]
self.secret() not in seen
old != user.password
"""
NEED_NOT_SEE = """
payload.get("token_type") != "access"
signature is None
"password" in update_fields
REVOKE_ON["password_changed"] != EFFECT_SESSION
token.counter == session.refresh_counter
key.kid == kid
hmac.compare_digest(mac, signature)
scope == SCOPE_TOKEN
"""


def compared(source: str) -> Iterator[tuple[int, str]]:
    """Line and source of each ``==``, ``!=``, ``in`` between two values of which one is secret.

    With a literal, or with a constant of the source, nothing is compared that could be guessed.
    """
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        for operator, pair in zip(node.ops, pairwise(sides), strict=True):
            by_value = isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn)
            if by_value and not any(map(is_literal, pair)) and any(map(is_secret, pair)):
                yield node.lineno, ast.unparse(node)


def is_literal(node: ast.expr) -> bool:
    name = last_name(node)
    return isinstance(node, ast.Constant) or bool(name and name.isupper())


def is_secret(node: ast.expr) -> bool:
    return bool(SECRET.search((last_name(node) or "").lower()))


def last_name(node: ast.expr) -> str | None:
    """What the value is called: of ``a.b``, ``a.b()`` and ``a["b"]`` it is ``b``."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=function):
            return last_name(function)
        case ast.Subscript(value=value, slice=ast.Constant(value=str(name))):
            return value.id if isinstance(value, ast.Name) and value.id.isupper() else name
        case ast.Subscript(value=value):
            return last_name(value)
    return None


@pytest.mark.once
def test_no_secret_is_compared_by_value():
    found = {
        text: f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in compared(path.read_text())
    }
    assert found.keys() == NO_SECRETS, found


@pytest.mark.once
@pytest.mark.parametrize("line", SHOULD_SEE.strip().splitlines())
def test_a_comparison_of_a_secret_is_seen(line):
    assert [text for _, text in compared(line)]


@pytest.mark.once
@pytest.mark.parametrize("line", NEED_NOT_SEE.strip().splitlines())
def test_a_comparison_of_what_is_no_secret_is_let_pass(line):
    assert list(compared(line)) == []
