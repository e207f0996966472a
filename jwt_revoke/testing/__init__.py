"""For a site's own tests: devices that are signed in, and what was revoked.

    from jwt_revoke.testing import Device, RevocationTestMixin

    class Demotion(RevocationTestMixin, TestCase):
        def test_a_demoted_editor_gets_new_claims(self):
            phone = Device(self.user)
            with self.revocations() as revoked:
                self.user.groups.clear()
            self.assertStale(phone)
            self.assertEqual(revoked[0]["reason"], "role_changed")

With pytest, ``pytest_plugins = ["jwt_revoke.testing.fixtures"]`` brings the fixtures ``sign_in``
and ``revocations``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest
from django.test import RequestFactory, TestCase
from rest_framework.test import APIClient

from .. import api, signals
from ..backends.base import get_backend
from ..conf import conf
from ..exceptions import TokenRefused, TokenRevoked, TokenStale
from ..minting import SignedIn
from ..models import DeviceSession, write_alias
from ..verification import verified_claims


class Device(APIClient):
    """DRF's test client, signed in as ``user`` on a device of its own.

    Its requests carry the access token. ``access``, ``refresh_token`` and ``session_id`` are
    those of its sign-in, or of the last ``refresh_tokens()``.
    """

    def __init__(self, user: Any, name: str = "test device", **defaults: Any) -> None:
        super().__init__(**defaults)
        self._hold(api.sign_in(user, self._request(), device=name))

    def refresh_tokens(self) -> None:
        """Exchange the refresh token, as the device's client would. Raises ``TokenRefused``."""
        self._hold(api.refresh(self.refresh_token, self._request()))

    @property
    def device_session(self) -> DeviceSession:
        """The row of its session, as it stands now."""
        return DeviceSession.objects.using(write_alias()).get(pk=self.session_id)

    @property
    def standing(self) -> str:
        """What the access token is worth now: ``live``, ``stale``, ``revoked`` or ``expired``."""
        try:
            claims = verified_claims(self.access)
            get_backend().check(claims)
        except TokenRefused as error:
            return error.slug
        return "live"

    def _request(self) -> HttpRequest:
        extra: dict[str, Any] = self.defaults
        return RequestFactory().post("/", **extra)

    def _hold(self, tokens: SignedIn) -> None:
        self.access, self.refresh_token = tokens.access, tokens.refresh
        self.session_id = tokens.session
        self.credentials(HTTP_AUTHORIZATION=f"{conf.AUTH_HEADER_TYPES[0]} {tokens.access}")


@contextmanager
def collect_revocations() -> Iterator[list[dict[str, Any]]]:
    """The arguments of each ``revoked`` signal: complete when the block is left, as a commit."""
    seen: list[dict[str, Any]] = []

    def on_revoked(**arguments: Any) -> None:
        arguments.pop("signal")
        seen.append(arguments)

    signals.revoked.connect(on_revoked)
    try:
        # In a TestCase nothing commits, so that on_commit would never run.
        with TestCase.captureOnCommitCallbacks(using=write_alias(), execute=True):
            yield seen
    finally:
        signals.revoked.disconnect(on_revoked)


class RevocationTestMixin:
    """Assertions for ``TestCase``: what a device's tokens are worth."""

    def revocations(self) -> Any:
        """``with self.revocations() as revoked:`` lists what is revoked inside."""
        return collect_revocations()

    def assertLive(self, device: Device) -> None:  # noqa: N802  (as unittest names them)
        """The device's access token opens."""
        self._assert_standing(device, "live")

    def assertStale(self, device: Device) -> None:  # noqa: N802  (as above)
        """The access token is dead; a refresh gives another."""
        self._assert_standing(device, TokenStale.slug)

    def assertRevoked(self, device: Device) -> None:  # noqa: N802  (as above)
        """The session is over: the device has to sign in again."""
        self._assert_standing(device, TokenRevoked.slug)

    def _assert_standing(self, device: Device, expected: str) -> None:
        if device.standing != expected:
            raise AssertionError(f"The device's token is {device.standing}, not {expected}.")
