"""Where an address is, by the site's own GeoIP database (Django's ``GEOIP_PATH``).

A place is a hint for a person who looks at a list of devices, and never evidence: nothing is
decided by it. Nothing is asked over the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Any, Final

from django.conf import settings

HAS_GEOIP2: Final = find_spec("geoip2") is not None
"""Whether the extra "geoip" is installed. It is loaded when the first place is asked for."""


def is_configured() -> bool:
    """Whether places are to be shown at all."""
    return HAS_GEOIP2 and bool(getattr(settings, "GEOIP_PATH", None))


def place_of(address: str | None) -> str:
    """City and country, ``Lisbon, Portugal``, as far as the database knows them, else ``""``."""
    if not address or not is_configured():
        return ""
    try:
        # Parsed: GeoIP2 takes any other text for the name of a host, and resolves it.
        where = ip_address(address)
        reader = _configured_reader()
        found: Mapping[str, Any] = reader.city(where) if reader.is_city else reader.country(where)
    except Exception:  # noqa: BLE001  (whatever a damaged file makes of it, the page is worth more)
        return ""
    return ", ".join(filter(None, (found.get("city"), found["country_name"])))


def problem() -> str:
    """Why no place is ever found although ``GEOIP_PATH`` is set; ``""`` when all is well."""
    if not getattr(settings, "GEOIP_PATH", None):
        return ""
    if not HAS_GEOIP2:
        return "geoip2 is not installed"
    try:
        _configured_reader()
    except Exception as error:  # noqa: BLE001  (a site must start without it)
        return str(error)
    return ""


def _configured_reader() -> Any:
    names = ("GEOIP_PATH", "GEOIP_CITY", "GEOIP_COUNTRY")
    return _reader(*[getattr(settings, name, None) for name in names])


@lru_cache(maxsize=1)
def _reader(path: Any, city: str | None, country: str | None) -> Any:
    """One for all threads, which read it without a lock; a failure is not remembered.

    Two threads that come first may open one each: the loser's is closed when it has its answer.
    """
    from django.contrib.gis.geoip2 import GeoIP2  # noqa: PLC0415  (which loads the extra)

    return GeoIP2(path, city=city, country=country)
