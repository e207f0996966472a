"""What is typed on the page: a device's name."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from ..user_agents import MAX_NAME

_JOINERS: Final = "\u200c\u200d"
"""Not printable by themselves, and part of Persian words and of many an emoji."""


class NameField(forms.CharField):
    """A name without what nobody sees: a text that runs backwards, say, in the admin's list."""

    def to_python(self, value: Any) -> str:
        text = super().to_python(value) or ""
        seen = "".join(char for char in text if char.isprintable() or char in _JOINERS).strip()
        return seen if seen.strip(_JOINERS) else ""


class NameForm(forms.Form):
    """The name of one device."""

    name = NameField(max_length=MAX_NAME)
