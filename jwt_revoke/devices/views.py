"""The page and what its forms do. Each POST leads back to the page, or answers with the list.

Asked with ``?fragment``, a view answers with ``list.html`` alone, whose forms ask likewise: for
a page with tokens, which sends them by script. Whoever brings a token, or asks so, is refused as
the API refuses; a browser gets a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from rest_framework import exceptions, parsers, renderers
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from .. import api, sessions
from ..authentication import JWTAuthentication, TokenNotValid, bearer_token
from ..claims import Claims
from ..models import DeviceSession, write_alias
from ..rest.base import SignedInView
from ..standing import live_sessions
from .forms import NameForm
from .listing import listing, name_of

_MAX_BACK: Final = 2000
"""Characters. Django redirects to no address that is much longer."""


class DevicesView(SignedInView):
    """By access token or by Django's session; for the latter REST framework asks for the CSRF
    token, which a token's holder needs none of: no browser sends that header by itself."""

    authentication_classes = [JWTAuthentication, SessionAuthentication]
    parser_classes = [parsers.FormParser, parsers.MultiPartParser]
    renderer_classes = [renderers.JSONRenderer]  # of what is refused
    metadata_class = None

    @property
    def current(self) -> UUID | None:
        """The session that asks; ``None`` for Django's, which is none of ours."""
        auth = self.request.auth
        return auth.sid if isinstance(auth, Claims) else None

    @property
    def sent(self) -> Mapping[str, Any]:
        """What a form holds, which is all that our parsers read."""
        return cast("Mapping[str, Any]", self.request.data)

    @property
    def is_fragment(self) -> bool:
        return "fragment" in self.request.query_params

    @property
    def base(self) -> str:
        """Where the page is, in whatever namespace a site has put us."""
        match: Any = self.request.resolver_match
        return reverse(f"{match.namespace}:page")

    def show(self, status: int = 200, **context: Any) -> HttpResponse:
        """The page, or the list alone."""
        context |= listing(self.user, self.base, self.current, self.back)
        context["query"] = "?fragment" if self.is_fragment else ""
        template = f"jwt_revoke/devices/{'list' if self.is_fragment else 'page'}.html"
        return render(self.request._request, template, context, status=status)

    def done(self, said: str, *, over: bool = False) -> HttpResponseBase:
        """After a POST. ``over``: the session that asked is, and there is no list for it."""
        if over:
            return HttpResponse(status=204)
        if self.is_fragment:
            return self.show(said=said)
        messages.success(self.request._request, said, fail_silently=True)
        return HttpResponseRedirect(self.back or self.base)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        # Read before anything is done: a body that cannot be is refused, and nothing has happened.
        self.back = self._back()

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # There is one form of each answer: a browser that wants HTML is not told 406.
        return super().perform_content_negotiation(request, force=True)

    def handle_exception(self, exc: Exception) -> Response:
        if self.is_fragment or self._brings_token():
            return super().handle_exception(exc)
        page: HttpResponseBase
        if isinstance(exc, exceptions.NotAuthenticated):
            page = redirect_to_login(self.base)
        else:
            refused = super().handle_exception(exc)
            if refused.status_code == 503:
                # Django's user, read by a site's own template, would raise a second time.
                self.request._request.user = AnonymousUser()
            # A site's own exception handler may have any shape of its own.
            said = refused.data if isinstance(refused.data, dict) else {}
            context = {"detail": said.get("detail", ""), "base": self.base}
            template = "jwt_revoke/devices/error.html"
            # Not REST framework's request: its user may refuse once more, in a site's own template.
            page = render(self.request._request, template, context, status=refused.status_code)
            if "Retry-After" in refused:
                page["Retry-After"] = refused["Retry-After"]
        return cast("Response", page)  # any response of Django's will do

    def _brings_token(self) -> bool:
        try:
            return bearer_token(self.request) is not None
        except TokenNotValid:
            return True

    def _back(self) -> str:
        """The page that a form was in (the template tag); ``""`` for ours, and for elsewhere."""
        back = self.sent.get("next") if self.request.method == "POST" else None
        # It may be a file, in a form that somebody else made up.
        if not isinstance(back, str) or len(back) > _MAX_BACK:
            return ""
        host, is_secure = self.request.get_host(), self.request.is_secure()
        is_safe = url_has_allowed_host_and_scheme(back, {host}, require_https=is_secure)
        return back if is_safe else ""


class PageView(DevicesView):
    """Where somebody is signed in."""

    def get(self, request: Request) -> HttpResponse:
        return self.show()


class RenameView(DevicesView):
    """Another name for one of the user's devices."""

    def post(self, request: Request, session_id: UUID) -> HttpResponseBase:
        live = live_sessions(write_alias()).filter(user_id=self.user.pk)
        session = live.filter(pk=session_id).first()
        if session is None:
            raise Http404
        form = NameForm(self.sent)
        if not form.is_valid():
            return self.show(400, refused=session_id, form=form)
        if not sessions.rename_session(session, form.cleaned_data["name"]):
            raise Http404
        return self.done(_("Renamed to %(name)s.") % {"name": session.name})


class EndView(DevicesView):
    """One of the user's devices is logged out; asked twice (a double click), it is so still."""

    def post(self, request: Request, session_id: UUID) -> HttpResponseBase:
        own = DeviceSession.objects.using(write_alias()).filter(user_id=self.user.pk)
        session = own.filter(pk=session_id).first()
        if session is None:
            raise Http404
        api.end_session(session, actor=self.user)
        said = _("“%(name)s” is logged out.") % {"name": name_of(session)}
        return self.done(said, over=session.pk == self.current)


class LogOutOthersView(DevicesView):
    """Every device but the one that asks, as one batch.

    Its own session stays as it is: the answer is a page and could not carry new tokens. For those
    there is ``POST logout/all/`` with ``keep_current``.
    """

    def post(self, request: Request) -> HttpResponseBase:
        if self.current is None:
            raise Http404  # there is none to keep
        others = live_sessions(write_alias()).filter(user_id=self.user.pk)
        others = others.exclude(pk=self.current)
        count = api.revoke_sessions(others, reason="logout_all", actor=self.user)
        text = ngettext(
            "%(count)d other device is logged out.",
            "%(count)d other devices are logged out.",
            count,
        )
        return self.done(text % {"count": count})


class LogOutEverywhereView(DevicesView):
    """Every device. Django's own session is none of them, and goes on."""

    def post(self, request: Request) -> HttpResponseBase:
        api.revoke_user(self.user, reason="logout_all", actor=self.user)
        said = _("You are logged out on every device.")
        return self.done(said, over=self.current is not None)
