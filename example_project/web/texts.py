"""What the page's script says, translated for it: it has no catalogue of its own."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

TEXTS = {
    "connecting": _("Connecting"),
    "connectingDetail": _("Asking the API whether it lets this device in."),
    "letIn": _("Let in"),
    "letInDetail": _("The API answers 200: it accepts this device’s access token."),
    "refreshed": _("Refreshed, and let in"),
    "refreshedStale": _("401, stale: the account changed. The page fetched new tokens by itself."),
    "refreshedExpired": _("401, expired. The page fetched new tokens by itself."),
    "refreshedInvalid": _("401, not accepted. The page fetched new tokens by itself."),
    "unsure": _("No answer"),
    "unsureDetail": _("The API could not tell ({status}). It lets nobody in until it can."),
    "unreachable": _("The server cannot be reached. Trying again."),
    "signedOut": _("Signed out"),
    "ended": _("Signed out: this session was ended."),
    "endedDetail": _(
        "The API answered 401, revoked. The access token and the refresh token are both dead."
    ),
    "loggedOut": _("You logged out on this device."),
    "loggedOutEverywhere": _("You logged out on every device."),
    "othersEnded": _("The other devices are logged out. This one has new tokens."),
    "passwordChanged": _("Password changed. The other devices are logged out."),
    "confirmed": _("Confirmed. For five minutes, critical calls are open to you."),
    "wrong": _("That did not work ({status}). Try again."),
    "tooMany": _("Too many attempts. Try again in {seconds} seconds."),
    "required": _("Required."),
    "noteTokens": _("new tokens"),
    "noteAccess": _("new access token"),
    "noteSignedIn": _("signed in, tokens received"),
    "noteNetwork": _("no answer"),
    "noteEnded": _("ended"),
    "noteExpired": _("expired: refresh and go on"),
    "noteStale": _("stale: refresh and go on"),
    "noteRevoked": _("revoked: sign in again"),
    "noteInvalid": _("invalid token"),
    "noteRefused": _("refused"),
    "noteUnsure": _("cannot tell, so refused"),
    "milliseconds": _("{count} ms"),
    "times": _("×{count}"),
}
