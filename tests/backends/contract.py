"""What every backend must do, as suites to inherit.

``AnyBackendContract``      every backend, whatever it sees
``BackendContract``         those that revoke: what a revocation means to the next check
``RowsContract``            those that compare the rows as they stand
"""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.authentication import authenticate_token
from jwt_revoke.backends.base import BaseBackend, get_backend
from jwt_revoke.claims import Claims
from jwt_revoke.codec import decode_access
from jwt_revoke.exceptions import TokenRevoked, TokenStale
from jwt_revoke.keystore import key_ring
from jwt_revoke.models import DeviceSession
from jwt_revoke.testing import Device
from tests.conftest import make_user
from tests.wire import READS


def claims_of(device: Device, **changes: Any) -> Claims:
    """The claims of the device's access token, as if it had been issued with ``changes``."""
    claims = decode_access(device.access, key_ring())
    return Claims.from_payload({**claims.payload, **changes})


class AnyBackendContract:
    """Inherit, and set ``backend`` and ``options``."""

    backend: ClassVar[type[BaseBackend]]
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture(autouse=True)
    def configured(self, settings: Any) -> None:
        path = f"{self.backend.__module__}.{self.backend.__qualname__}"
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, "BACKEND": path, "OPTIONS": self.options}

    def check(self, device: Device, **changes: Any) -> Any:
        """What the backend says of the device's access token: the user or None, or an exception."""
        return get_backend().check(claims_of(device, **changes))

    def assert_stale(self, device: Device, **changes: Any) -> None:
        with pytest.raises(TokenStale):
            self.check(device, **changes)

    def assert_revoked(self, device: Device, **changes: Any) -> None:
        with pytest.raises(TokenRevoked):
            self.check(device, **changes)

    def test_it_is_the_configured_one(self):
        assert type(get_backend()) is self.backend

    def test_one_instance_serves_every_request(self):
        assert get_backend() is get_backend()

    def test_an_option_it_does_not_know_is_refused(self):
        with pytest.raises(ImproperlyConfigured, match="frobnicate"):
            self.backend({**self.options, "frobnicate": 1})

    def test_its_own_options_pass_its_own_checks(self):
        backend = self.backend(self.options)
        assert list(backend.system_checks()) == []
        backend.close()

    def test_a_live_token_opens_as_its_user(self, phone, user):
        self.check(phone)
        found, _claims = authenticate_token(phone.access)
        assert found == user
        assert isinstance(found, get_user_model())
        assert found.get_username() == user.get_username()

    def test_checking_writes_nothing(self, phone):
        """Invariant 7."""
        with CaptureQueriesContext(connection) as captured:
            self.check(phone)
        assert all(query["sql"].startswith(READS) for query in captured.captured_queries)

    def test_async_code_learns_the_same(self, phone):
        expected = self.check(phone)
        assert async_to_sync(get_backend().acheck)(claims_of(phone)) == expected

    def test_a_view_may_ask_for_a_strict_check(self, phone):
        """s21: whatever the backend's own bound."""
        claims = claims_of(phone)
        get_backend().check(claims, 0)
        api.end_session(phone.session_id)
        with pytest.raises(TokenRevoked):
            get_backend().check(claims, 0)


class OpaqueSubject:
    """Put before a suite: ``sub`` is an opaque id (s12)."""

    @pytest.fixture(autouse=True)
    def opaque(self, configured: None, settings: Any) -> None:
        settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SUBJECT": "opaque"}


class BackendContract(AnyBackendContract):
    """A revocation is seen by the next check."""

    def test_an_ended_session_is_revoked(self, phone):
        api.end_session(phone.session_id)
        self.assert_revoked(phone)

    def test_other_sessions_live_on(self, phone, laptop):
        api.end_session(phone.session_id)
        self.check(laptop)

    def test_all_sessions_of_a_revoked_user_are_revoked(self, phone, laptop, user):
        api.revoke_user(user)
        self.assert_revoked(phone)
        self.assert_revoked(laptop)

    def test_another_user_is_not_touched(self, phone, user):
        other = Device(make_user("bob"))
        api.revoke_user(user)
        self.check(other)

    def test_effect_access_makes_a_token_stale(self, phone, user):
        api.revoke_user(user, effect="access")
        self.assert_stale(phone)

    def test_after_effect_access_a_refresh_goes_on(self, phone, user):
        api.revoke_user(user, effect="access")
        phone.refresh_tokens()
        self.check(phone)

    def test_a_session_opened_after_a_revocation_lives(self, user, phone):
        api.revoke_user(user)
        self.check(Device(user))

    def test_two_revocations_in_a_row_are_both_seen(self, phone, user):
        api.revoke_user(user, effect="access")
        phone.refresh_tokens()
        api.revoke_user(user, effect="access")
        self.assert_stale(phone)

    def test_a_bulk_revocation_is_seen(self, phone, user):
        api.revoke_users(get_user_model().objects.filter(pk=user.pk))
        self.assert_revoked(phone)

    def test_everyone_is_revoked(self, phone):
        api.revoke_everyone()
        self.assert_revoked(phone)

    def test_a_cache_that_is_cleared_revives_nothing(self, phone, laptop, user):
        """Invariant 3: the database is the truth; the rest are copies."""
        api.revoke_session(phone.session_id)
        api.revoke_token(laptop.access)
        cache.clear()
        assert (phone.standing, laptop.standing) == ("revoked", "stale")

    def test_a_process_that_starts_anew_revives_nothing(self, phone, settings):
        """Invariant 3: nothing that a process remembers is needed to refuse."""
        api.revoke_session(phone.session_id)
        settings.JWT_REVOKE = {**settings.JWT_REVOKE}  # makes the backend anew
        assert phone.standing == "revoked"

    def test_everyone_with_effect_access_is_stale(self, phone):
        api.revoke_everyone(effect="access")
        self.assert_stale(phone)
        phone.refresh_tokens()
        self.check(phone)

    def test_a_denied_token_is_stale(self, phone):
        api.revoke_token(phone.access)
        self.assert_stale(phone)

    def test_only_the_denied_token_of_a_session_is(self, phone):
        api.revoke_token(phone.access)
        phone.refresh_tokens()
        self.check(phone)

    def test_a_deleted_user_is_revoked(self, phone, user):
        user.delete()
        self.assert_revoked(phone)

    def test_a_user_created_anew_under_the_same_key_revives_nothing(self, phone, user):
        """Invariant 6."""
        key = user.pk
        user.delete()
        make_user(pk=key)
        self.assert_revoked(phone)
        Device(get_user_model().objects.get(pk=key))
        self.assert_revoked(phone)

    def test_async_code_sees_a_revocation(self, phone):
        self.check(phone)
        api.end_session(phone.session_id)
        with pytest.raises(TokenRevoked):
            async_to_sync(get_backend().acheck)(claims_of(phone))

    def test_sessions_that_signed_in_before_are_revoked_and_others_stale(self, phone, user):
        """s06: two kinds of entries in one batch."""
        moment = timezone.now()
        laptop = Device(user, "laptop")
        api.revoke_user(user, before=moment)
        self.assert_revoked(phone)
        self.assert_stale(laptop)

    def test_an_access_revocation_after_a_session_one_hides_nothing(self, phone, user):
        """The later of two cut-offs never masks the other."""
        api.revoke_user(user)
        api.revoke_user(user, effect="access")
        self.assert_revoked(phone)

    def test_what_is_rolled_back_revokes_nothing(self, phone, user):
        """Invariant 2."""
        self.check(phone)
        with contextlib.suppress(ZeroDivisionError), transaction.atomic():
            api.revoke_user(user)
            raise ZeroDivisionError
        self.check(phone)


class RowsContract(BackendContract):
    """What is not in the log is seen too, and the user comes loaded."""

    def test_a_live_token_gives_its_user(self, phone, user):
        found = self.check(phone)
        assert found == user
        assert found.get_username() == user.get_username()

    def test_a_session_that_never_was_is_revoked(self, phone):
        self.assert_revoked(phone, sid=str(uuid4()))

    def test_a_session_of_another_user_is_revoked(self, phone):
        other = Device(make_user("bob"))
        self.assert_revoked(phone, sid=str(other.session_id))

    def test_a_user_who_never_was_is_revoked(self, phone):
        other = make_user("bob")
        key = str(other.pk)
        other.delete()
        self.assert_revoked(phone, sub=key)

    @pytest.mark.parametrize("column", ["expires_at", "idle_expires_at"])
    def test_a_session_past_its_time_is_revoked(self, phone, column):
        past = timezone.now() - timedelta(seconds=1)
        DeviceSession.objects.filter(pk=phone.session_id).update(**{column: past})
        self.assert_revoked(phone)

    def test_a_version_of_the_past_is_stale(self, phone):
        self.assert_stale(phone, ver=claims_of(phone).ver - 1)
