"""``{% load jwt_revoke_devices %}{% jwt_revoke_devices %}``: the list in a page of the site's."""

from __future__ import annotations

from typing import Any

from django import template
from django.http import HttpRequest
from django.urls import reverse

from ..devices.listing import listing

register = template.Library()


@register.inclusion_tag("jwt_revoke/devices/list.html", takes_context=True)
def jwt_revoke_devices(context: Any, namespace: str = "jwt_revoke_devices") -> dict[str, Any]:
    """The devices of ``request.user``, with forms that lead back to this page.

    ``namespace``: where ``jwt_revoke.devices.urls`` are, if inside another one
    (``"account:jwt_revoke_devices"``). Not inside a form of the page's: forms do not nest.
    """
    request: HttpRequest = context["request"]
    base = reverse(f"{namespace}:page")
    return listing(request.user, base, back=request.get_full_path())
