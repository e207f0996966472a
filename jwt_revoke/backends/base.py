"""The contract of a backend: how a request learns whether its token is revoked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from ..claims import Claims
from ..conf import DEFAULT_BACKEND, conf


class BaseBackend(ABC):
    """One way to learn a token's standing. One instance serves every thread of a process."""

    strict: ClassVar[bool] = False
    """Whether a revocation is seen by the very next check."""

    needs_sequence: ClassVar[bool] = False
    """Whether log entries must be numbered for it (DESIGN §7, Order of the log)."""

    option_names: ClassVar[frozenset[str]] = frozenset()
    """What ``OPTIONS`` may hold."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        unknown = options.keys() - self.option_names
        if unknown:
            raise ImproperlyConfigured(
                f"JWT_REVOKE['OPTIONS'] has {', '.join(sorted(unknown))}, "
                f"which {type(self).__name__} does not know."
            )

    @abstractmethod
    def check(self, claims: Claims) -> AbstractBaseUser:
        """The user of a token that lives.

        Raises ``TokenStale`` or ``TokenRevoked``, or ``Unavailable`` when it can't know.
        Writes nothing.
        """

    def system_checks(self) -> Sequence[CheckMessage]:
        """What ``manage.py check`` should say of this backend's options and surroundings."""
        return []


def get_backend() -> BaseBackend:
    """The configured backend."""
    return _backend(conf.BACKEND)


def get_strict_backend() -> BaseBackend:
    """The configured backend if it is strict, else the database's."""
    backend = get_backend()
    return backend if backend.strict else _backend(DEFAULT_BACKEND)


@lru_cache(maxsize=4)
def _backend(path: str) -> BaseBackend:
    try:
        backend = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(f"JWT_REVOKE['BACKEND']: {error}") from error
    if not (isinstance(backend, type) and issubclass(backend, BaseBackend)):
        raise ImproperlyConfigured(
            f"JWT_REVOKE['BACKEND']: {path} is not a subclass of {__name__}.BaseBackend."
        )
    return backend(conf.OPTIONS if path == conf.BACKEND else {})


def _forget_backends(*, setting: str, **_kwargs: Any) -> None:
    # The database backend has compiled what the last two decide.
    if setting in {"JWT_REVOKE", "AUTH_USER_MODEL", "DATABASES", "USE_TZ", "TIME_ZONE"}:
        _backend.cache_clear()


setting_changed.connect(_forget_backends)
