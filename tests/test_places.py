"""Where an address is, by a database on this machine; and nothing at all without one."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.contrib.gis import geoip2

from jwt_revoke import places
from jwt_revoke.places import is_configured, place_of, problem
from tests.geoip import LISBON, PORTUGAL, UNKNOWN, write_cities, write_countries

pytestmark = pytest.mark.once


@pytest.fixture
def cities(settings: Any, tmp_path: Path) -> Path:
    """The configured database."""
    path = write_cities(tmp_path)
    settings.GEOIP_PATH = path
    return path


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a host by its name fails the test."""

    def resolve(*args: Any) -> Any:
        pytest.fail(f"the network was asked: {args}")

    for name in ("gethostbyname", "getaddrinfo"):
        monkeypatch.setattr(socket, name, resolve)


def test_a_city_is_named_with_its_country(cities: Path) -> None:
    assert place_of(LISBON) == "Lisbon, Portugal"


def test_where_no_city_is_known_the_country_is_named(cities: Path) -> None:
    assert place_of(PORTUGAL) == "Portugal"


def test_a_database_of_countries_names_countries(settings: Any, tmp_path: Path) -> None:
    settings.GEOIP_PATH = write_countries(tmp_path)

    assert place_of(LISBON) == "Portugal"


@pytest.mark.parametrize("kind", [str, Path])
def test_the_setting_may_name_the_folder(cities: Path, settings: Any, kind: Any) -> None:
    settings.GEOIP_PATH = kind(cities.parent)

    assert place_of(LISBON) == "Lisbon, Portugal"


def test_a_file_of_another_name_is_found_by_django_s_own_setting(
    cities: Path, settings: Any
) -> None:
    settings.GEOIP_PATH = cities.rename(cities.with_name("own.mmdb")).parent
    assert place_of(LISBON) == ""

    settings.GEOIP_CITY = "own.mmdb"

    assert place_of(LISBON) == "Lisbon, Portugal"


@pytest.mark.parametrize(
    "address", [None, "", UNKNOWN, "10.1.2.3", "127.0.0.1", "::1", "fe80::1%eth0"]
)
def test_an_address_of_no_known_place_has_none(cities: Path, address: str | None) -> None:
    assert place_of(address) == ""


@pytest.mark.parametrize("address", ["localhost", "example.com", "81.2.69.4.example.com", "\0"])
def test_what_is_no_address_is_never_looked_up_as_a_host(cities: Path, address: str) -> None:
    assert place_of(address) == ""


def test_without_the_setting_there_are_no_places() -> None:
    assert not is_configured()
    assert place_of(LISBON) == ""
    assert problem() == ""


def test_the_setting_is_read_each_time(cities: Path, settings: Any, tmp_path: Path) -> None:
    assert place_of(LISBON) == "Lisbon, Portugal"
    settings.GEOIP_PATH = write_cities(tmp_path / "other", "Porto")
    assert place_of(LISBON) == "Porto, Portugal"

    settings.GEOIP_PATH = None

    assert not is_configured()
    assert place_of(LISBON) == ""


def test_the_database_is_opened_once(cities: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    real = geoip2.GeoIP2

    def count(path: Any, **options: Any) -> Any:
        opened.append(path)
        return real(path, **options)

    monkeypatch.setattr(geoip2, "GeoIP2", count)
    places._reader.cache_clear()

    for _ in range(3):
        place_of(LISBON)

    assert opened == [cities]


def test_threads_read_it_at_once(cities: Path) -> None:
    places._reader.cache_clear()
    together = Barrier(8)

    def ask(_number: int) -> set[str]:
        together.wait(10)
        return {place_of(LISBON) for _ in range(200)}

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [{"Lisbon, Portugal"}] * 8


# --- what is wrong with it


def test_a_good_database_has_no_problem(cities: Path) -> None:
    assert is_configured()
    assert problem() == ""


def test_a_missing_file_is_a_problem_and_no_error(settings: Any, tmp_path: Path) -> None:
    settings.GEOIP_PATH = tmp_path

    assert place_of(LISBON) == ""
    assert "Path must be" in problem()


def test_a_file_that_comes_later_is_found(settings: Any, tmp_path: Path) -> None:
    settings.GEOIP_PATH = tmp_path
    assert place_of(LISBON) == ""

    write_cities(tmp_path)

    assert place_of(LISBON) == "Lisbon, Portugal"


def test_a_damaged_file_is_a_problem_and_no_error(settings: Any, tmp_path: Path) -> None:
    path = tmp_path / "GeoLite2-City.mmdb"
    path.write_bytes(b"no database" * 100)
    settings.GEOIP_PATH = path

    assert place_of(LISBON) == ""
    assert problem()


def test_without_geoip2_there_are_no_places(cities: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "HAS_GEOIP2", False)

    assert not is_configured()
    assert place_of(LISBON) == ""
    assert problem() == "geoip2 is not installed"
