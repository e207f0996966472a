from __future__ import annotations

from typing import Any

from django.conf import settings
from django.views.generic import TemplateView

from example_project.accounts.demo import DEMO_USERS
from example_project.web.texts import TEXTS


class PageView(TemplateView):
    """The devices page. It holds nothing of anyone: all of that comes through the API."""

    template_name = "web/page.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        demo_users = DEMO_USERS if settings.DEBUG else ()
        return super().get_context_data(texts=TEXTS, demo_users=demo_users, **kwargs)
