"""The device behind a request: its address, its user agent, and what it is called at first."""

from __future__ import annotations

import re
from importlib.util import find_spec
from ipaddress import ip_address
from typing import Final

from django.conf import settings
from django.http import HttpRequest

HAS_UA_PARSER: Final = find_spec("ua_parser") is not None
"""Whether the extra "devices" is installed. It is loaded by the first sign-in, and its patterns."""

MAX_USER_AGENT: Final = 300
MAX_NAME: Final = 100

_BROWSERS: Final = (
    # Order matters: Edge and Opera say "Chrome" too, and Chrome says "Safari".
    ("Edge", "Edg"),
    ("Opera", "OPR/"),
    ("Firefox", "Firefox/|FxiOS/"),
    ("Chrome", "Chrome/|CriOS/"),
    ("Safari", "Safari/"),
)
_SYSTEMS: Final = (
    # Android says "Linux" too, and an iPhone says "Mac OS X".
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("macOS", "Macintosh|Mac OS X"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux|X11"),
)
_PRODUCT: Final = re.compile(r"(?!Mozilla/)([A-Za-z][\w.-]{1,39})/\d", re.ASCII)
"""How a program names itself: ``curl/8.9.1``, ``okhttp/4.12.0``, ``Dart/3.5 (dart:io)``."""
_VARIANT: Final = re.compile(r"^Mobile | (?:Mobile|iOS|WebView|UI/WKWebView)\b")
"""What ua-parser adds to a browser's name, which the system beside it says already."""
_PLAIN: Final = {"Mac OS X": "macOS", "Chrome OS": "ChromeOS"}
"""Systems that are called otherwise than ua-parser calls them."""
_PHONE: Final = re.compile("Mobi|Android|iPhone|iPad")


def clean_user_agent(user_agent: str) -> str:
    """``user_agent`` cut to 300 characters, with what no terminal should print replaced."""
    cut = user_agent[:MAX_USER_AGENT]
    return "".join(char if char.isprintable() else "�" for char in cut)


def name_device(user_agent: str) -> str:
    """A short name such as ``Firefox, Windows``; ``""`` for a user agent that says nothing.

    By ua-parser where the extra ``devices`` is installed, else from a short list. A program is
    called what it calls itself.
    """
    if not user_agent:
        return ""
    browser, system = _parsed(user_agent) if HAS_UA_PARSER else _guessed(user_agent)
    if not browser and (program := _PRODUCT.match(user_agent)):
        browser = program[1]
    # Once, where both are the same: "Android, Android".
    return ", ".join(part for part in dict.fromkeys((browser, system)) if part)[:MAX_NAME]


def device_kind(user_agent: str) -> str:
    """``phone`` (or tablet), ``computer``, or ``program`` for what is no browser."""
    if _PHONE.search(user_agent):
        return "phone"
    return "computer" if user_agent.startswith("Mozilla/") else "program"


def _parsed(user_agent: str) -> tuple[str, str]:
    from ua_parser import parse  # noqa: PLC0415  (an extra)

    found = parse(user_agent)
    browser = _VARIANT.sub("", found.user_agent.family) if found.user_agent else ""
    system = found.os.family if found.os else ""
    if system == "iOS" and found.device and found.device.family in {"iPhone", "iPad"}:
        system = found.device.family
    return browser, _PLAIN.get(system, system)


def _guessed(user_agent: str) -> tuple[str, str]:
    def first(choices: tuple[tuple[str, str], ...]) -> str:
        return next((name for name, mark in choices if re.search(mark, user_agent)), "")

    return first(_BROWSERS), first(_SYSTEMS)


def client_address(request: HttpRequest) -> str | None:
    """The client's IP address, or ``None`` when what stands there is none.

    ``REMOTE_ADDR``, unless DRF's ``NUM_PROXIES`` says how many proxies of the site's own append
    to ``X-Forwarded-For``. Never that header alone: any client can send it.
    """
    proxies = getattr(settings, "REST_FRAMEWORK", {}).get("NUM_PROXIES")
    address = request.META.get("REMOTE_ADDR", "")
    if proxies:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        address = forwarded[-min(proxies, len(forwarded))] or address
    try:
        # Without an IPv6 zone ("%eth0"): it means nothing elsewhere and has any length.
        parsed = ip_address(address.strip().partition("%")[0])
    except ValueError:
        return None
    # A socket of both families reports an IPv4 client as "::ffff:192.0.2.1".
    return str(getattr(parsed, "ipv4_mapped", None) or parsed)


def user_agent(request: HttpRequest | None) -> str:
    """The request's user agent as we keep it; ``""`` without a request."""
    return clean_user_agent(request.META.get("HTTP_USER_AGENT", "")) if request else ""
