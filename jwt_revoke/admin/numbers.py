"""How a number is written."""

from __future__ import annotations

from django.utils.formats import number_format


def grouped(number: int) -> str:
    """In the language of whoever looks: ``1,002,000``."""
    return number_format(number, force_grouping=True)
