"""The counters. What the endpoints answer is in tests/rest."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import cache
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.locmem import LocMemCache
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from jwt_revoke import throttles
from jwt_revoke.authentication import ServiceUnavailable
from jwt_revoke.throttles import (
    PasswordUserThrottle,
    RefreshThrottle,
    SignInThrottle,
    SignInUserThrottle,
)

NOW = 1_700_000_060.0  # 20 s into a minute


class Forgiving(LocMemCache):
    """django-redis with ``IGNORE_EXCEPTIONS`` while Redis is away."""

    def add(self, *_arguments, **_options):
        return False

    def incr(self, *_arguments, **_options):
        return None


class Away(LocMemCache):
    """A cache whose server does not answer."""

    def add(self, *_arguments, **_options):
        raise ConnectionError


class Late(LocMemCache):
    """One that adds by reading and writing back, and whose readers are late: as if all at once."""

    incr = BaseCache.incr

    def get(self, *arguments, **options):
        found = super().get(*arguments, **options)
        return min(found, 1) if isinstance(found, int) else found


@pytest.fixture(autouse=True)
def still_clock(monkeypatch):
    cache.clear()
    monkeypatch.setattr(time, "time", lambda: NOW)
    yield
    cache.clear()


@pytest.fixture
def rate(settings):
    def set_rate(value):
        rates = dict.fromkeys(throttles.SCOPES, value)
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": rates}

    return set_rate


@pytest.fixture
def away(settings):
    def set_cache(name):
        settings.CACHES = {"default": {"BACKEND": f"{__name__}.{name}"}}

    return set_cache


def request_from(address="192.0.2.7", body=None, **extra):
    view = APIView()
    request = APIRequestFactory().post("/", body or {}, REMOTE_ADDR=address, **extra)
    return view.initialize_request(request)


def allowed(throttle, **given):
    return throttle().allow_request(request_from(**given), APIView())


@pytest.mark.parametrize("throttle", [SignInThrottle, RefreshThrottle])
def test_requests_are_counted_by_address(rate, throttle):
    rate("2/min")
    assert [allowed(throttle) for _ in range(3)] == [True, True, False]
    assert allowed(throttle, address="192.0.2.8")


def test_other_address_of_an_ipv6_client_gives_no_new_allowance(rate):
    rate("1/min")
    assert allowed(SignInThrottle, address="2001:db8:1:2::1")
    assert not allowed(SignInThrottle, address="2001:db8:1:2:ffff::9")
    assert allowed(SignInThrottle, address="2001:db8:1:3::1")


def test_ipv4_clients_of_a_socket_of_both_families_are_counted_apart(rate):
    rate("1/min")
    assert allowed(SignInThrottle, address="::ffff:192.0.2.7")
    assert allowed(SignInThrottle, address="::ffff:192.0.2.8")


def test_scopes_are_counted_apart(rate):
    rate("1/min")
    assert allowed(SignInThrottle)
    assert allowed(RefreshThrottle)


def test_parallel_requests_are_each_counted(rate):
    """REST framework's own read a list and write it back, so that parallel guesses are one."""
    rate("10/min")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: allowed(SignInThrottle), range(80)))
    assert answers.count(True) == 10


def test_window_that_ends_starts_another(rate, monkeypatch):
    rate("1/min")
    assert [allowed(SignInThrottle), allowed(SignInThrottle)] == [True, False]
    monkeypatch.setattr(time, "time", lambda: NOW + 40)
    assert allowed(SignInThrottle)


def test_wait_lasts_until_the_window_ends(rate):
    rate("1/min")
    throttle = SignInThrottle()
    throttle.allow_request(request_from(), APIView())
    assert throttle.wait() == pytest.approx(40)


def test_scope_without_a_rate_is_not_throttled(settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": {}}
    assert all(allowed(SignInThrottle) for _ in range(20))


def test_scope_whose_rate_is_none_is_not_throttled(rate):
    rate(None)
    assert all(allowed(SignInThrottle) for _ in range(20))


def test_rate_of_zero_allows_nothing(rate):
    rate("0/min")
    assert not allowed(SignInThrottle)


def test_header_that_any_client_can_send_gives_no_new_allowance(rate):
    rate("1/min")
    assert allowed(SignInThrottle, HTTP_X_FORWARDED_FOR="203.0.113.1")
    assert not allowed(SignInThrottle, HTTP_X_FORWARDED_FOR="203.0.113.2")


def test_address_is_the_one_that_our_own_proxy_saw(rate, settings):
    rate("1/min")
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
    assert allowed(SignInThrottle, HTTP_X_FORWARDED_FOR="10.0.0.1, 203.0.113.1")
    assert not allowed(SignInThrottle, HTTP_X_FORWARDED_FOR="10.0.0.2, 203.0.113.1")
    assert allowed(SignInThrottle, HTTP_X_FORWARDED_FOR="10.0.0.1, 203.0.113.2")


def test_requests_without_an_address_share_one_allowance(rate):
    rate("1/min")
    assert allowed(SignInThrottle, address="")
    assert not allowed(SignInThrottle, address="unix:")


def test_name_is_counted_from_any_address(rate):
    rate("1/min")
    assert allowed(SignInUserThrottle, body={"username": "alice"}, address="192.0.2.1")
    assert not allowed(SignInUserThrottle, body={"username": "alice"}, address="192.0.2.2")
    assert allowed(SignInUserThrottle, body={"username": "bob"}, address="192.0.2.1")


@pytest.mark.parametrize("body", [{}, {"username": None}, {"username": ["alice"]}, ["alice"]])
def test_body_without_a_name_is_not_counted_by_name(rate, body):
    rate("0/min")
    assert allowed(SignInUserThrottle, body=body)


def test_half_a_surrogate_pair_is_a_name_like_any_other(rate):
    """JSON may spell it; UTF-8 can't."""
    rate("1/min")
    half = {"data": '{"username": "\\ud800"}', "content_type": "application/json"}
    request = APIView().initialize_request(APIRequestFactory().generic("POST", "/", **half))
    request.parsers = [parser() for parser in APIView.parser_classes]
    assert SignInUserThrottle().allow_request(request, APIView())
    assert not SignInUserThrottle().allow_request(request, APIView())


@pytest.mark.django_db
def test_password_is_guessed_for_one_account_from_any_address(rate, user):
    rate("1/min")
    answers = []
    for address in ("192.0.2.1", "192.0.2.2"):
        request = request_from(address)
        request.user = user
        answers.append(PasswordUserThrottle().allow_request(request, APIView()))
    assert answers == [True, False]


@pytest.mark.parametrize("name", ["Away", "Forgiving"])
def test_cache_that_does_not_count_is_503(rate, away, name):
    """Invariant 4: not counted is not allowed."""
    rate("1000/min")
    away(name)
    with pytest.raises(ServiceUnavailable):
        allowed(SignInThrottle)


def test_cache_that_cannot_add_counts_whoever_reads_at_once(rate, away):
    rate("3/min")
    away("Late")
    assert [allowed(SignInThrottle) for _ in range(5)] == [True] * 3 + [False] * 2


def test_dummy_cache_is_503(rate, settings):
    rate("1000/min")
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    with pytest.raises(ServiceUnavailable):
        allowed(SignInThrottle)


def test_cache_holds_no_name(rate):
    """Invariant 9."""
    rate("1/min")
    allowed(SignInUserThrottle, body={"username": "alice"})
    assert cache._cache
    assert not any("alice" in key for key in cache._cache)
