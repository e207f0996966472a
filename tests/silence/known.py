"""What is secret in this run, and whether a text holds any of it, whole or in part."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Collection, Iterator
from urllib.parse import quote, quote_plus

ACCESS, REFRESH = "access token", "refresh token"
PASSWORD, HASH, FINGERPRINT = "password", "password hash", "fingerprint"
KEY, STORED_KEY, SESSION_KEY = "key", "encrypted key", "key of a Django session"

BLOCK = 12
"""Characters: 72 bits of a token, which are found nowhere by chance."""
_OF_SECRETS, _OF_TEXTS = 4, 3
"""Every fourth block of a secret is kept, and every third of a text looked up: of twelve beginnings
in a row one is both."""
LEAST = 2 * BLOCK - 1
"""Characters of the shortest part that is always found."""
_VARIED = 7
"""Distinct characters of a block, or it says nothing: keys in tests are often one letter."""
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+/-"
_APART = bytes(one if one in _LETTERS else 32 for one in range(256))
_WORD = re.compile(r"[A-Za-z0-9_+/=-]+")
# Nobody need have told us of these: minted in another process, or forged.
_ACCESS_SHAPE = re.compile(r"eyJ[\w-]{16,}\.eyJ[\w-]{32,}\.[\w-]{40,}", re.ASCII)
# Its format, and a counter that has come nowhere near 65,536.
_REFRESH_SHAPE = re.compile(r"(?<![\w+/-])A[Q-Za-f][\w-]{26}AA[\w-]{46}(?![\w+/=-])", re.ASCII)


class Known:
    """The secrets so far. They stay known for the whole run, since caches outlive a test; but for
    passwords: attacks try as one what is a common text elsewhere."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str | bytes]] = set()
        self.blocks: dict[bytes, str] = {}
        self.phrases: dict[str, str] = {}

    def learn(self, kind: str, secret: str | bytes | None) -> None:
        """From now on it is looked for. Each kind has parts that are secret by themselves."""
        known = (kind, secret) in self.seen
        if not secret or (known and kind != PASSWORD):
            return
        self.seen.add((kind, secret))
        text = secret.decode("latin-1") if isinstance(secret, bytes) else secret
        if kind == KEY:
            self._learn_key(secret)
        elif kind == ACCESS:
            # The claims are in every log; what makes them a token is the signature.
            self._keep(kind, text.rpartition(".")[2])
        elif kind == PASSWORD:
            self._keep_phrase(kind, text)
        else:
            self._keep(kind, text.rpartition("$")[2])

    def forget_passwords(self) -> None:
        """They are no secrets any more."""
        self.phrases = {text: kind for text, kind in self.phrases.items() if kind != PASSWORD}

    def found_in(self, text: str, but: Collection[str] = ()) -> Iterator[tuple[str, int]]:
        """The kind of each secret in the text and where it begins, but for some kinds."""
        for word in set(text.encode(errors="replace").translate(_APART).split()):
            if len(word) >= LEAST and (hit := self._part_of(word)) and hit[0] not in but:
                yield hit[0], text.find(hit[1])
        for phrase, kind in self.phrases.items():
            if phrase in text and kind not in but:
                yield kind, text.find(phrase)
        for kind, shape in ((ACCESS, _ACCESS_SHAPE), (REFRESH, _REFRESH_SHAPE)):
            if kind not in but and (match := shape.search(text)):
                yield kind, match.start()

    def _part_of(self, word: bytes) -> tuple[str, str] | None:
        for at in range(0, len(word) - BLOCK + 1, _OF_TEXTS):
            block = word[at : at + BLOCK]
            if block in self.blocks:
                return self.blocks[block], block.decode()
        return None

    def _keep(self, kind: str, text: str) -> None:
        raw = text.encode()
        for start in range(0, len(raw) - BLOCK + 1, _OF_SECRETS):
            block = raw[start : start + BLOCK]
            if len(set(block)) >= _VARIED:
                self.blocks[block] = kind

    def _keep_phrase(self, kind: str, text: str) -> None:
        """As it is, and as a page, a URL, JSON and ``repr`` would spell it."""
        if text in self.phrases or len(text) < 8 or len(set(text)) < _VARIED:
            return
        spelt = {text, html.escape(text), quote(text), quote_plus(text)}
        spelt |= {json.dumps(text)[1:-1], repr(text)[1:-1], ascii(text)[1:-1]}
        self.phrases |= dict.fromkeys(spelt, kind)

    def _learn_key(self, secret: str | bytes) -> None:
        text = secret.decode("latin-1") if isinstance(secret, bytes) else secret
        if "-----BEGIN" in text:
            for part in _private_parts(text):
                self._keep_bytes(part)
            return
        if _WORD.fullmatch(text):
            self._keep(KEY, text)
        if not text.isalnum():
            self._keep_phrase(KEY, text)
        raw = secret.encode() if isinstance(secret, str) else secret
        self._keep_bytes(raw)
        if not text.isascii():
            self._keep_phrase(KEY, repr(raw)[2:-1])

    def _keep_bytes(self, raw: bytes) -> None:
        """As hexadecimal, and as base64 of either alphabet from any of three beginnings (DER)."""
        self._keep(KEY, raw.hex())
        for shift in range(3):
            encoded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
            # The first and the last character belong to their neighbours too.
            inner = encoded[4 if shift else 0 : -1]
            self._keep(KEY, inner)
            self._keep(KEY, inner.replace("+", "-").replace("/", "_"))


def _private_parts(pem: str) -> list[bytes]:
    """Of a private key the numbers that nobody may know: its PEM has the public ones in it too."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, binascii.Error):
        return []  # of tests that hand in what is no key
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return [key.private_bytes_raw()]
    if isinstance(key, ec.EllipticCurvePrivateKey):
        numbers = [key.private_numbers().private_value]
    elif isinstance(key, rsa.RSAPrivateKey):
        private = key.private_numbers()
        numbers = [private.p, private.q, private.d]
    else:
        return []
    return [number.to_bytes((number.bit_length() + 7) // 8, "big") for number in numbers]
