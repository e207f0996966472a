from __future__ import annotations

import runpy
import sys

import pytest
from django.test import RequestFactory

from jwt_revoke import user_agents
from jwt_revoke.user_agents import (
    MAX_NAME,
    MAX_USER_AGENT,
    clean_user_agent,
    client_address,
    device_kind,
    name_device,
    user_agent,
)

FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
AGENTS = {
    FIREFOX: "Firefox, Windows",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
    "Safari/537.36": "Chrome, Linux",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0": "Edge, Windows",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Mobile Safari/537.36": "Chrome, Android",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.0 Mobile/15E148 Safari/604.1": "Safari, iPhone",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36 OPR/120.0.0.0": "Opera, macOS",
    "Mozilla/5.0 (iPad; CPU OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.0 Mobile/15E148 Safari/604.1": "Safari, iPad",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) CriOS/140.0.0.0 Mobile/15E148 Safari/604.1": "Chrome, iPhone",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) FxiOS/140.0 Mobile/15E148 Safari/604.1": "Firefox, iPhone",
    "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0": "Firefox, Android",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Version/4.0 Chrome/140.0.0.0 Mobile Safari/537.36": "Chrome, Android",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
    "Mobile Safari/537.36 EdgA/140.0.0.0": "Edge, Android",
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36": "Chrome, ChromeOS",
    "curl/8.9.1": "curl",
    "python-httpx/0.28": "python-httpx",
    "okhttp/4.12.0": "okhttp",
    "Dart/3.5 (dart:io)": "Dart",
    "PostmanRuntime/7.43.0": "PostmanRuntime",
    "Go-http-client/2.0": "Go-http-client",
    "Our-App/3.1": "Our-App",
}


@pytest.mark.parametrize("has_ua_parser", [True, False])
@pytest.mark.parametrize(("agent", "name"), AGENTS.items())
def test_device_is_named_alike_with_ua_parser_and_without(agent, name, has_ua_parser, monkeypatch):
    assert user_agents.HAS_UA_PARSER
    monkeypatch.setattr(user_agents, "HAS_UA_PARSER", has_ua_parser)
    assert name_device(agent) == name


def test_what_is_browser_and_system_in_one_is_named_once():
    assert name_device("Dalvik/2.1.0 (Linux; U; Android 14; SM-A546B)") == "Android"


@pytest.mark.parametrize("agent", ["x", "<script>/1", "Phone\x00/1", "x" * 41 + "/1", "/1", "a/b"])
def test_user_agent_of_no_known_shape_gives_no_name(agent):
    assert name_device(agent) == ""


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        (FIREFOX, "computer"),
        (next(agent for agent, name in AGENTS.items() if name == "Safari, iPhone"), "phone"),
        (next(agent for agent, name in AGENTS.items() if name == "Safari, iPad"), "phone"),
        (next(agent for agent, name in AGENTS.items() if name == "Chrome, Android"), "phone"),
        ("curl/8.9.1", "program"),
        ("", "program"),
    ],
)
def test_kind_of_a_device(agent, kind):
    assert device_kind(agent) == kind


def test_missing_ua_parser_is_no_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "ua_parser", None)
    alone = runpy.run_path(user_agents.__file__)
    assert alone["HAS_UA_PARSER"] is False
    assert alone["name_device"](FIREFOX) == "Firefox, Windows"


@pytest.mark.parametrize("has_ua_parser", [True, False])
def test_user_agent_that_says_nothing_gives_no_name(has_ua_parser, monkeypatch):
    monkeypatch.setattr(user_agents, "HAS_UA_PARSER", has_ua_parser)
    assert name_device("") == ""


def test_name_fits_its_column(monkeypatch):
    monkeypatch.setattr(user_agents, "_parsed", lambda agent: ("x" * 200, "y"))
    assert len(name_device("anything")) == MAX_NAME


def test_user_agent_is_cut():
    assert clean_user_agent("x" * 1_000_000) == "x" * MAX_USER_AGENT


@pytest.mark.parametrize("char", ["\x00", "\x1b", "\n", "\u202e", "\ud800"])
def test_what_no_terminal_should_print_is_replaced(char):
    assert clean_user_agent(f"Phone{char}/1") == "Phone�/1"


def test_text_of_any_script_is_kept():
    assert clean_user_agent("Téléphone 電話/1") == "Téléphone 電話/1"


def test_user_agent_is_the_requests_as_we_keep_it():
    request = RequestFactory().get("/", HTTP_USER_AGENT="Phone\x00/1")
    assert user_agent(request) == "Phone�/1"
    assert user_agent(RequestFactory().get("/")) == ""
    assert user_agent(None) == ""


def address(**meta):
    return client_address(RequestFactory().get("/", **meta))


def test_address_is_remote_addr():
    assert address(REMOTE_ADDR="192.0.2.7") == "192.0.2.7"


def test_header_that_any_client_can_send_is_not_trusted():
    assert address(REMOTE_ADDR="192.0.2.7", HTTP_X_FORWARDED_FOR="203.0.113.9") == "192.0.2.7"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "expected"),
    [
        (0, "203.0.113.9", "192.0.2.7"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        (2, "10.0.0.1, 203.0.113.9, 198.51.100.4", "203.0.113.9"),
        (3, "203.0.113.9", "203.0.113.9"),
        (1, None, "192.0.2.7"),
        (1, "", "192.0.2.7"),
        (1, "203.0.113.9, unknown", None),
        (1, "203.0.113.9, ", None),
    ],
)
def test_num_proxies_means_what_it_means_to_rest_framework(proxies, forwarded, expected, settings):
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": proxies}
    meta = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    assert address(REMOTE_ADDR="192.0.2.7", **meta) == expected


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%" + "x" * 500, "fe80::1"),
        ("", None),
        ("unix:/run/site.sock", None),
        ("192.0.2.7:4711", None),
        ("192.0.2.7\x00", None),
    ],
)
def test_address_is_one_as_a_database_takes_it_or_none(remote, expected):
    assert address(REMOTE_ADDR=remote) == expected


def test_the_list_of_user_agents_is_read_once(monkeypatch):
    """ua-parser 1.0.0 read it for each of them: half a second of a worker for each device shown."""
    import ua_parser

    read = []
    real = ua_parser.Parser.from_matchers
    counting = staticmethod(lambda matchers: read.append(1) or real(matchers))
    monkeypatch.setattr(ua_parser.Parser, "from_matchers", counting)
    monkeypatch.delitem(vars(ua_parser), "parser", raising=False)
    for agent in AGENTS:
        name_device(agent)
    assert len(read) == 1
