"""What is raised holds no locals of the functions that had secrets in theirs."""

from __future__ import annotations

import functools

import pytest

from jwt_revoke.secrecy import secret_locals

pytestmark = pytest.mark.once


def fail(secret):
    kept = secret
    raise ValueError(len(kept))


@secret_locals
def use(secret):
    """Use it."""
    fail(secret)


@secret_locals
def use_another(secret):
    try:
        fail(secret)
    except ValueError as error:
        raise LookupError from error


@secret_locals
def use_what_fails_in_a_handler(secret):
    try:
        fail(secret)
    except ValueError:
        fail(secret)


def locals_of(error):
    """Of all frames below the test's own, and of the errors that it came of."""
    found, trace = {}, error.__traceback__.tb_next
    while trace is not None:
        found |= trace.tb_frame.f_locals
        trace = trace.tb_next
    for other in (error.__cause__, error.__context__):
        found |= {} if other is None else locals_of(other)
    return found


@pytest.mark.parametrize("function", [use, use_another, use_what_fails_in_a_handler])
def test_what_is_raised_holds_no_secret(function):
    """Invariant 9."""
    with pytest.raises((ValueError, LookupError)) as caught:
        function("the secret")
    assert "the secret" not in repr(locals_of(caught.value))


def test_without_it_the_locals_are_there():
    with pytest.raises(ValueError, match="10") as caught:
        use.__wrapped__("the secret")
    assert "the secret" in repr(locals_of(caught.value))


def test_errors_that_are_each_other_s_cause_are_no_endless_loop():
    @secret_locals
    def turn():
        one, other = ValueError("one"), ValueError("other")
        one.__cause__, other.__cause__ = other, one
        raise one

    with pytest.raises(ValueError, match="one"):
        turn()


def test_it_returns_what_the_function_does_and_is_called_the_same():
    double = secret_locals(functools.partial(pow, 2).func)
    assert double(2, 3) == 8
    assert (use.__name__, use.__doc__) == ("use", "Use it.")
