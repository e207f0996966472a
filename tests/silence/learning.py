"""Where secrets come into being: each is learnt at the root, whoever asked for it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from django.contrib.auth import hashers
from django.contrib.sessions.backends.base import SessionBase
from django.core.signals import setting_changed
from django.test.client import RequestFactory

from jwt_revoke import codec, encryption, keys, standing

from . import known
from .known import Known

_FORM_PART = re.compile(rb'name="\w*password\w*"\r\n\r\n(.*?)\r\n', re.DOTALL)
_OURS = ("jwt_revoke", "tests", "example_project", "benchmarks")


def learn_all(secrets: Known) -> None:
    """Each token, key, password and hash that this process makes or reads from now on."""
    _learn_tokens(secrets)
    _learn_keys(secrets)
    _learn_secret_keys(secrets)
    _learn_passwords(secrets)


def _learn_tokens(secrets: Known) -> None:
    for name, kind in (("access", known.ACCESS), ("refresh", known.REFRESH)):

        def minted(token: Any, *_: Any, kind: str = kind, **__: Any) -> None:
            secrets.learn(kind, token)

        def read(_claims: Any, raw: Any, *_: Any, kind: str = kind, **__: Any) -> None:
            secrets.learn(kind, raw)

        _everywhere(codec, f"encode_{name}", minted)
        _everywhere(codec, f"decode_{name}", read)


def _learn_keys(secrets: Known) -> None:
    """Those too that are refused: an error may quote what it was made of."""

    def loading(_algorithm: str, material: Any) -> None:
        secrets.learn(known.KEY, material)

    def encrypting(texts: Any) -> None:
        for text in texts:
            secrets.learn(known.KEY, text)

    _everywhere(keys, "load_key", loading, _first)
    _everywhere(keys, "make_material", lambda material, *_: secrets.learn(known.KEY, material))
    _everywhere(encryption, "_fernet", encrypting, _first)
    _everywhere(encryption, "encrypt", lambda text, *_: secrets.learn(known.STORED_KEY, text))
    real = vars(keys.RefreshKey)["from_secret"].__func__
    kept = _first(real, lambda _kind, secret: secrets.learn(known.KEY, secret))
    keys.RefreshKey.from_secret = classmethod(kept)  # type: ignore[assignment, method-assign]  # for good


def _learn_secret_keys(secrets: Known) -> None:
    """Of these settings, and of the sites that are started as processes of their own."""

    def changed(*, setting: str, value: Any, **_: Any) -> None:
        if setting == "SECRET_KEY":
            secrets.learn(known.KEY, value)
        elif setting == "SECRET_KEY_FALLBACKS":
            for one in value or ():
                secrets.learn(known.KEY, one)

    def started(_process: Any, *_args: Any, **options: Any) -> None:
        for name in ("DJANGO_SECRET_KEY", "JWT_REVOKE_SIGNING_KEY"):
            secrets.learn(known.KEY, (options.get("env") or {}).get(name))

    changed(setting="SECRET_KEY", value=settings.SECRET_KEY)
    changed(setting="SECRET_KEY_FALLBACKS", value=settings.SECRET_KEY_FALLBACKS)
    setting_changed.connect(changed, weak=False)
    subprocess.Popen.__init__ = _first(subprocess.Popen.__init__, started)  # type: ignore[method-assign]  # for good


def _learn_passwords(secrets: Known) -> None:
    """Whatever sets or checks a password comes by a hasher's ``encode``, a wrong one too; what is
    refused before that was in a request of the test client."""

    def hashed(encoded: Any, _hasher: Any, password: Any, *_args: Any, **_kwargs: Any) -> None:
        secrets.learn(known.PASSWORD, password)
        secrets.learn(known.HASH, encoded)

    for kind in _subclasses(hashers.BasePasswordHasher):
        if "encode" in vars(kind):
            kind.encode = _then(kind.encode, hashed)
    _everywhere(
        standing, "password_fingerprint", lambda made, *_: secrets.learn(known.FINGERPRINT, made)
    )
    SessionBase._get_new_session_key = _then(
        SessionBase._get_new_session_key, lambda made, *_: secrets.learn(known.SESSION_KEY, made)
    )

    real = RequestFactory.generic

    @wraps(real)
    def generic(
        client: Any, method: Any, path: Any, data: Any = "", *args: Any, **more: Any
    ) -> Any:
        body = data.encode() if isinstance(data, str) else data
        if body and b"password" in body:
            for password in _passwords(body):
                secrets.learn(known.PASSWORD, password)
        return real(client, method, path, data, *args, **more)

    RequestFactory.generic = generic


def _passwords(body: bytes) -> Iterator[str]:
    yield from (part.decode("latin-1") for part in _FORM_PART.findall(body))
    try:
        text = body.decode()
        fields = json.loads(text) if text.startswith("{") else dict(parse_qsl(text))
    except (ValueError, RecursionError):
        return  # as of the attacks
    for name, value in fields.items():
        if "password" in name and isinstance(value, str):
            yield value


def _then(real: Any, learnt: Callable[..., None]) -> Any:
    """``real``, and what it returned and was given is learnt."""

    @wraps(real)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = real(*args, **kwargs)
        learnt(result, *args, **kwargs)
        return result

    return wrapped


def _first(real: Any, learnt: Callable[..., None]) -> Any:
    """``real``, and what it is given is learnt, whatever comes of it."""

    @wraps(real)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        learnt(*args, **kwargs)
        return real(*args, **kwargs)

    return wrapped


def _everywhere(
    module: Any, name: str, learnt: Callable[..., None], how: Callable[..., Any] = _then
) -> None:
    """Wrapped in its module, and in each that has imported it by name."""
    real = getattr(module, name)
    wrapped = how(real, learnt)
    if hasattr(real, "cache_clear"):
        wrapped.cache_clear = real.cache_clear
    for other in list(sys.modules.values()):
        if getattr(other, "__name__", "").startswith(_OURS) and vars(other).get(name) is real:
            setattr(other, name, wrapped)


def _subclasses(kind: type[Any]) -> Iterator[type[Any]]:
    for one in kind.__subclasses__():
        yield one
        yield from _subclasses(one)
