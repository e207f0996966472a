"""Django's sessions, by where they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest

from benchmarks.contenders.base import (
    EVERYWHERE,
    MOST,
    Contender,
    Credential,
    Unsupported,
)

MIDDLEWARE: Final = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Session(Contender):
    """Django's log-in and its cookie."""

    engine: str
    bound: float | None = 0.0
    authentication_class: str = "rest_framework.authentication.SessionAuthentication"
    apps: tuple[str, ...] = ("django.contrib.sessions",)
    middleware: tuple[str, ...] = MIDDLEWARE
    tables: tuple[str, ...] = ("django_session",)

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"SESSION_ENGINE": f"django.contrib.sessions.backends.{self.engine}"}

    def prepare(self, request: HttpRequest) -> None:
        apply_middleware(request)

    def sign_in(self, user: Any) -> Credential:
        request = request_of_session()
        logged_in(request, user)
        request.session.save()
        key = request.session.session_key
        return Credential(f"Cookie: sessionid={key}", str(key))

    def end(self, credential: Credential) -> None:
        from django.contrib.auth import logout

        logout(request_of_session(credential.key))

    def end_all(self, user: Any) -> None:
        """Nothing tells whose a session is but its contents: each of them all is opened."""
        if not self.tables:
            raise Unsupported("a cache cannot be searched")
        from django.contrib.auth import SESSION_KEY
        from django.contrib.sessions.models import Session as Row
        from django.utils import timezone

        for row in Row.objects.filter(expire_date__gte=timezone.now()).iterator():
            if row.get_decoded().get(SESSION_KEY) == str(user.pk):
                session_store(row.session_key).delete()


def session_store(key: str | None = None) -> Any:
    """The session of that key, or a new one."""
    from importlib import import_module

    from django.conf import settings

    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def request_of_session(key: str | None = None) -> HttpRequest:
    """A request as the middleware leaves it, before anybody asked whose it is."""
    from django.contrib.auth.models import AnonymousUser
    from django.test import RequestFactory

    request: HttpRequest = RequestFactory().get("/")
    request.session, request.user = session_store(key), AnonymousUser()
    return request


def logged_in(request: HttpRequest, user: Any) -> None:
    """As a log-in view does once the password is verified."""
    from django.contrib.auth import login

    login(request, user, backend="django.contrib.auth.backends.ModelBackend")


def apply_middleware(request: HttpRequest) -> None:
    """Neither reads the session or the user yet: the first who asks does, in each call anew."""
    from django.contrib.auth.middleware import AuthenticationMiddleware
    from django.contrib.sessions.middleware import SessionMiddleware

    vars(request).pop("_cached_user", None)
    for middleware in (SessionMiddleware, AuthenticationMiddleware):
        middleware(_nothing).process_request(request)


def _nothing(_request: HttpRequest) -> Any:
    raise NotImplementedError


CONTENDERS: Final[list[Contender]] = [
    Session(name="session, db", parts=MOST, engine="db"),
    Session(name="session, cached_db", parts=EVERYWHERE, engine="cached_db"),
    Session(
        name="session, Redis",
        parts=MOST,
        engine="cache",
        apps=(),
        tables=(),
    ),
]
