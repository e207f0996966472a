"""The contract of a backend: how a request learns whether its token is revoked."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Final

from asgiref.sync import sync_to_async
from django.contrib.auth.models import AbstractBaseUser
from django.core.checks import CheckMessage
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .. import log
from ..claims import Claims
from ..conf import DEFAULT_BACKEND, conf
from ..numbering import number

logger: Final = logging.getLogger("jwt_revoke")


class BaseBackend(ABC):
    """One way to learn a token's standing. One instance serves every thread of a process."""

    strict: ClassVar[bool] = False
    """Whether a revocation is seen by the very next check."""

    needs_sequence: ClassVar[bool] = False
    """Whether log entries must be numbered for it (DESIGN §7, Order of the log)."""

    max_staleness: float = 0.0
    """Seconds after a revocation returned for which a check may still accept (invariant 1)."""

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
    def check(self, claims: Claims, max_staleness: float | None = None) -> AbstractBaseUser | None:
        """Return for a token that lives: its user, or ``None`` where no row had to be read.

        ``max_staleness``: seconds, for this check, in place of the backend's own (s21).
        Raises ``TokenStale`` or ``TokenRevoked``, or ``Unavailable`` when it can't know.
        Writes nothing.
        """

    async def acheck(
        self, claims: Claims, max_staleness: float | None = None
    ) -> AbstractBaseUser | None:
        """The same from async code."""
        return await sync_to_async(self.check)(claims, max_staleness)

    def publish(self, using: str) -> None:
        """Make what was committed effective in every process, and return when it is."""
        if self.needs_sequence:
            number(using)

    def close(self) -> None:  # noqa: B027  (most have nothing to let go of)
        """Let go of connections and threads; the settings changed, and another takes over."""

    def system_checks(self) -> Sequence[CheckMessage]:
        """What ``manage.py check`` should say of this backend's options and surroundings."""
        return []

    def figures(self, using: str) -> Mapping[str, Any]:
        """What ``manage.py jwt_revoke status`` should say of it: label → value, translated."""
        return {}


# Each request asks for it.
@cache
def get_backend() -> BaseBackend:
    """The configured backend."""
    return _backend(conf.BACKEND)


def get_strict_backend() -> BaseBackend:
    """The configured backend if it is strict, else the database's."""
    backend = get_backend()
    return backend if backend.strict else get_database_backend()


def get_database_backend() -> BaseBackend:
    """The one that compares everything, and loads the user."""
    return _backend(DEFAULT_BACKEND)


_backends: Final[dict[str, BaseBackend]] = {}


def _backend(path: str) -> BaseBackend:
    # No lock, which a fork could leave locked: of two made at once one is thrown away, unused.
    backend = _backends.get(path)
    return _backends.setdefault(path, _make(path)) if backend is None else backend


def _make(path: str) -> BaseBackend:
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
    # The database backend has compiled what most of them decide.
    if setting in {"JWT_REVOKE", "AUTH_USER_MODEL", "CACHES", "DATABASES", "USE_TZ", "TIME_ZONE"}:
        get_backend.cache_clear()
        while _backends:
            _backends.popitem()[1].close()


setting_changed.connect(_forget_backends)


class _ConfiguredBackend:
    """The publisher of whatever backend is configured at the moment."""

    def needs_sequence(self) -> bool:
        return get_backend().needs_sequence

    def publish(self, using: str) -> None:
        try:
            get_backend().publish(using)
        except Exception:
            # The revocation is committed and stands. A request that follows the log finds it.
            logger.exception("Committed, and not published")


log.publishers.append(_ConfiguredBackend())
