"""GeoIP databases, for tests: of Lisbon, and of a country without cities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet

LISBON = "81.2.69.4"
PORTUGAL = "2001:470::1"
"""Its city is not known."""
UNKNOWN = "89.160.20.1"


def write_cities(folder: Path, city: str = "Lisbon") -> Path:
    """A database of cities, named as Django looks for it in a folder."""
    country: dict[str, Any] = {"country": {"iso_code": "PT", "names": {"en": "Portugal"}}}
    named = {"city": {"names": {"en": city}}}
    return _written(folder / "GeoLite2-City.mmdb", {LISBON: named | country, PORTUGAL: country})


def write_countries(folder: Path) -> Path:
    """A database of countries alone."""
    country = {"country": {"iso_code": "PT", "names": {"en": "Portugal"}}}
    return _written(folder / "GeoLite2-Country.mmdb", {LISBON: country})


def _written(path: Path, places: dict[str, Any]) -> Path:
    writer = MMDBWriter(
        ip_version=6, ipv4_compatible=True, database_type=path.stem, languages=["en"]
    )
    for address, record in places.items():
        writer.insert_network(IPSet([address]), record)
    path.parent.mkdir(parents=True, exist_ok=True)
    writer.to_db_file(str(path))
    return path
