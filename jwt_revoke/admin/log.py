"""The revocation log in the admin: read-only for everyone."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ..models import SCOPE_EVERYONE, SCOPE_SESSION, SCOPE_TOKEN, SCOPE_USER, Revocation
from .readonly import ReadOnlyAdmin, keys_of_users


@admin.register(Revocation)
class RevocationAdmin(ReadOnlyAdmin):
    """The newest first; searched by a user's exact name or by the subject itself."""

    list_display = ("created_at", "scope", "subject", "effect", "reason", "actor", "note")
    fields = (
        *("created_at", "scope", "subject", "effect", "version", "reason", "actor", "note"),
        *("batch", "uid", "sequence", "expires_at"),
    )
    ordering = ("-id",)
    sortable_by = ()  # by any column but the key it would be a million rows each time
    search_fields = ("subject",)
    search_help_text = _("A user’s exact name or key, a session’s id, or a token’s jti")

    def matching(self, term: str) -> Q:
        """Entries of that subject, or of the user of that name."""
        # The scope is named, all of them, because the index begins with it.
        scopes = (SCOPE_TOKEN, SCOPE_SESSION, SCOPE_USER, SCOPE_EVERYONE)
        return Q(scope__in=scopes, subject__in={term, *map(str, keys_of_users(term))})
