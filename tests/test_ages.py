"""How long ago something was, by the largest unit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone, translation

from jwt_revoke.ages import ago

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("passed", "words"),
    [
        ({"seconds": -30}, "just now"),
        ({"seconds": 59}, "just now"),
        ({"seconds": 61}, "1 minute ago"),
        ({"minutes": 59}, "59 minutes ago"),
        ({"hours": 30}, "1 day ago"),
        ({"days": 21}, "3 weeks ago"),
        ({"days": 800}, "2 years ago"),
    ],
)
@pytest.mark.parametrize("with_zones", [True, False])
def test_an_age_is_told_by_its_largest_unit(
    settings: Any, passed: dict[str, int], words: str, with_zones: bool
) -> None:
    settings.USE_TZ = with_zones

    with translation.override("en"):
        assert ago(timezone.now() - timedelta(**passed)).replace("\xa0", " ") == words
