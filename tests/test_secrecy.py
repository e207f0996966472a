"""What is raised holds no locals of the functions that had secrets in theirs."""

from __future__ import annotations

import functools

import pytest
from django.test import RequestFactory
from django.views import debug

from jwt_revoke.secrecy import hide_form, secret_locals

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


class OfTheSite(debug.SafeExceptionReporterFilter):
    cleansed_substitute = "hidden by the site"


@pytest.fixture
def filter_of_the_site(settings):
    settings.DEBUG = True
    settings.DEFAULT_EXCEPTION_REPORTER_FILTER = f"{__name__}.OfTheSite"
    debug.get_default_exception_reporter_filter.cache_clear()
    yield debug.get_default_exception_reporter_filter()
    debug.get_default_exception_reporter_filter.cache_clear()


def page_about(request):
    return debug.ExceptionReporter(request, ValueError, ValueError(), None).get_traceback_html()


def test_a_form_is_hidden_under_debug_by_the_filter_that_the_site_has(filter_of_the_site):
    """Invariant 9. (Of a request that is none of ours Django's page shows the form.)"""
    request = RequestFactory().post("/", {"field": "what was posted"})
    assert "what was posted" in page_about(request)
    hide_form(request)
    assert "what was posted" not in page_about(request)
    assert "hidden by the site" in page_about(request)


def test_of_other_requests_the_filter_of_the_site_is_as_it_was(filter_of_the_site):
    hide_form(RequestFactory().post("/"))
    other = RequestFactory().post("/", {"field": "what was posted"})
    other.sensitive_post_parameters = "__ALL__"
    assert "what was posted" in page_about(other)
