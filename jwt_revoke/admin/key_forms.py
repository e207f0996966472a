"""What the pages of signing keys ask."""

from __future__ import annotations

from django import forms
from django.contrib.admin.widgets import AdminRadioSelect, AdminTextInputWidget
from django.utils.translation import gettext_lazy as _

from ..keys import ASYMMETRIC, SYMMETRIC
from ..models import EFFECT_ACCESS, EFFECT_SESSION


class AlgorithmForm(forms.Form):
    """Which algorithm a new key is for."""

    algorithm = forms.ChoiceField(
        label=_("Algorithm of a new key"),
        choices=[(name, name) for name in (*SYMMETRIC, *ASYMMETRIC)],
        required=False,  # the setting's by default
    )


class RetireForm(forms.Form):
    """Whether tokens that live are in the way."""

    force = forms.BooleanField(
        label=_("Although tokens that it signed may still live"), required=False
    )


class CompromiseForm(AlgorithmForm):
    """How far the revocation goes, and what the log says of it."""

    effect = forms.ChoiceField(
        label=_("Effect"),
        choices=[
            (
                EFFECT_ACCESS,
                _("Access tokens are revoked; clients refresh under another key."),
            ),
            (EFFECT_SESSION, _("Sessions end; everybody signs in again.")),
        ],
        help_text=_("Sessions, if a forged token may have been used: one can open a session."),
        initial=EFFECT_ACCESS,
        widget=AdminRadioSelect(attrs={"class": "radiolist"}),
    )
    note = forms.CharField(
        label=_("Note"),
        help_text=_("A sentence for the log."),
        max_length=255,
        required=False,
        widget=AdminTextInputWidget,
    )
    field_order = ("effect", "note", "algorithm")
