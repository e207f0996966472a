"""What the pages that log somebody out ask."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminRadioSelect, AdminTextInputWidget
from django.contrib.auth import get_user_model
from django.db.models import IntegerField
from django.utils.translation import gettext_lazy as _

from ..models import EFFECT_ACCESS, EFFECT_SESSION
from ..reasons import PICKED
from ..subjects import plain_key


class ReasonForm(forms.Form):
    """Why, for the log."""

    reason = forms.ChoiceField(label=_("Reason"), choices=list(PICKED.items()))
    note = forms.CharField(
        label=_("Note"),
        help_text=_("A sentence for the log."),
        max_length=255,
        required=False,
        widget=AdminTextInputWidget,
    )


class EffectForm(ReasonForm):
    """How far it goes, and why. What it has cleaned are keyword arguments of ``api``'s."""

    effect = forms.ChoiceField(
        label=_("Effect"),
        choices=[
            (EFFECT_SESSION, _("End the sessions: every device has to sign in again.")),
            (
                EFFECT_ACCESS,
                _(
                    "Revoke the access tokens: devices refresh by themselves and go on, "
                    "with new claims."
                ),
            ),
        ],
        initial=EFFECT_SESSION,
        widget=AdminRadioSelect(attrs={"class": "radiolist"}),
    )
    field_order: tuple[str, ...] = ("effect", "reason", "note")


class RunForm(forms.Form):
    """How far a run over many users has come. The browser holds it: nothing rests on it but which
    users are next, and what is said.
    """

    after = forms.CharField(max_length=255, required=False, strip=False, widget=forms.HiddenInput)
    done = forms.IntegerField(min_value=0, required=False, widget=forms.HiddenInput)
    prefix = "jwt_revoke"

    def clean_after(self) -> Any:
        """The key of the last user who is done; ``None`` before the first."""
        text = self.cleaned_data["after"]
        if not text:
            return None
        field = plain_key(get_user_model()._meta.pk)
        key = field.to_python(text)
        if isinstance(field, IntegerField):
            field.run_validators(key)  # no database compares with what no column can hold
        return key

    def clean_done(self) -> int:
        """How many are done."""
        return self.cleaned_data["done"] or 0
