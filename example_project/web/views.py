from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils import translation
from django.views.generic import TemplateView

from example_project.accounts.demo import DEMO_USERS
from example_project.web.texts import TEXTS

# Those that the page is translated into. In any other, Django's own catalogue would translate
# "Password" and leave the rest: half a page in each of two languages.
LANGUAGES = {"en"}


class PageView(TemplateView):
    """The devices page. It holds nothing of anyone: all of that comes through the API."""

    template_name = "web/page.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        language = translation.get_language()
        with translation.override(language if language in LANGUAGES else "en"):
            return self.render_to_response(self.get_context_data(**kwargs)).render()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        demo_users = DEMO_USERS if settings.DEBUG else ()
        return super().get_context_data(texts=TEXTS, demo_users=demo_users, **kwargs)
