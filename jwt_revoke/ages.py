"""How long ago something was, in words."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext_lazy

# Whole sentences: "%(age)s ago" would have some languages decline what timesince gives.
_AGO: Final[dict[str, Any]] = {
    "year": ngettext_lazy("%(num)d year ago", "%(num)d years ago", "num"),
    "month": ngettext_lazy("%(num)d month ago", "%(num)d months ago", "num"),
    "week": ngettext_lazy("%(num)d week ago", "%(num)d weeks ago", "num"),
    "day": ngettext_lazy("%(num)d day ago", "%(num)d days ago", "num"),
    "hour": ngettext_lazy("%(num)d hour ago", "%(num)d hours ago", "num"),
    "minute": ngettext_lazy("%(num)d minute ago", "%(num)d minutes ago", "num"),
}


def ago(moment: datetime) -> str:
    """``3 weeks ago``, by the largest unit; ``just now`` within a minute, or if clocks differ."""
    now = timezone.now()
    if now - moment < timedelta(minutes=1):
        return _("just now")
    return timesince(moment, now, time_strings=_AGO, depth=1)
