"""The facts of an account and the rule that judges them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import OperationalError
from django.db.backends.utils import CursorWrapper
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.claims import Claims
from jwt_revoke.codec import decode_access
from jwt_revoke.exceptions import TokenRefused, TokenRevoked, TokenStale, Unavailable
from jwt_revoke.keystore import key_ring
from jwt_revoke.models import DeviceSession, UserTokenState
from jwt_revoke.standing import (
    Facts,
    account_fingerprint,
    all_ended_since,
    facts_of,
    facts_queryset,
    is_active,
    judge,
    live_sessions,
    password_fingerprint,
    require_session,
    unknown_watched_fields,
    watched_fields,
)
from jwt_revoke.subjects import opaque_subject, subject_of_user, user_key
from jwt_revoke.testing import Device

pytestmark = pytest.mark.database


@pytest.fixture
def claims(phone: Device) -> Claims:
    return decode_access(phone.access, key_ring())


@pytest.fixture
def facts(claims: Claims) -> Facts:
    return facts_of(facts_queryset("default", claims.sid, claims.jti).get(pk=claims.sub))


def test_all_facts_are_read_in_one_statement(
    claims: Claims, django_assert_num_queries: Any
) -> None:
    """Invariant 8: user, state, session, denylist and generation together."""
    with django_assert_num_queries(1):
        facts = facts_of(facts_queryset("default", claims.sid, claims.jti).get(pk=claims.sub))
    assert facts.version == claims.ver
    assert facts.ended_at is None
    assert facts.generation is None
    assert facts.denied is False


def test_the_user_carries_nothing_of_ours(facts: Facts) -> None:
    """What the view gets is the site's row, fit to be saved or serialized."""
    assert not [name for name in vars(facts.user) if name.startswith("jwt_revoke")]


def test_a_session_of_somebody_else_is_none(phone: Device, claims: Claims) -> None:
    """Whatever a token with our signature says: session and user belong together."""
    from tests.conftest import make_user

    other = make_user("bob")
    facts = facts_of(facts_queryset("default", claims.sid).get(pk=other.pk))
    assert facts.opened_version is None


def test_a_token_whose_facts_agree_passes(claims: Claims, facts: Facts) -> None:
    judge(claims, facts, timezone.now())


PAST = datetime(2001, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "changed",
    [
        {"opened_version": None},
        {"opened_generation": None},
        {"expires_at": None},
        {"idle_expires_at": None},
        {"ended_at": PAST},
        {"session_floor": None},
        {"session_floor": 2**62},
        {"generation_floor": 1},
        {"expires_at": PAST},
        {"idle_expires_at": PAST},
    ],
    ids=",".join,
)
def test_where_the_session_is_over_a_client_has_to_sign_in(
    claims: Claims, facts: Facts, changed: dict[str, Any]
) -> None:
    with pytest.raises(TokenRevoked):
        judge(claims, facts._replace(**changed), timezone.now())
    with pytest.raises(TokenRevoked):
        require_session(facts._replace(**changed), timezone.now())


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2**62},
        {"version": None},
        {"generation": 1},
        {"denied": True},
        {"password_fingerprint": "0" * 64},
        {"password_fingerprint": ""},
        {"password_fingerprint": None},
    ],
    ids=",".join,
)
def test_where_only_the_token_is_out_of_date_a_client_has_to_refresh(
    claims: Claims, facts: Facts, changed: dict[str, Any]
) -> None:
    with pytest.raises(TokenStale):
        judge(claims, facts._replace(**changed), timezone.now())


def test_an_inactive_user_is_not_told_that_the_session_is_gone(
    claims: Claims, facts: Facts
) -> None:
    """It may be a change that is undone again; the refresh looks closer."""
    facts.user.is_active = False
    with pytest.raises(TokenStale):
        judge(claims, facts, timezone.now())


def test_of_two_cut_offs_the_later_wins(claims: Claims, facts: Facts) -> None:
    """Neither the user's floor nor everyone's masks the other."""
    for changed in ({"session_floor": 2**62}, {"generation_floor": 2**62}):
        both = facts._replace(session_floor=0, generation_floor=0)._replace(**changed)
        with pytest.raises(TokenRevoked):
            judge(claims, both, timezone.now())


@pytest.mark.parametrize("claim", ["ver", "gen"])
def test_a_token_ahead_of_the_database_is_refused_and_raises_the_alarm(
    claims: Claims, facts: Facts, claim: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Invariant 6: the database went back in time."""
    ahead = replace(claims, **{claim: getattr(claims, claim) + 5})
    with pytest.raises(TokenRefused):
        judge(ahead, facts, timezone.now())
    assert "went back in time" in caplog.text
    assert "CRITICAL" in caplog.text


def test_live_sessions_are_those_that_the_rule_lets_pass(phone: Device, laptop: Device) -> None:
    assert live_sessions("default").count() == 2
    api.end_session(phone.session_id)
    assert live_sessions("default").get().pk == laptop.session_id


@pytest.mark.parametrize("column", ["expires_at", "idle_expires_at"])
def test_sessions_past_their_time_are_not_live(phone: Device, column: str) -> None:
    DeviceSession.objects.update(**{column: timezone.now()})
    assert not live_sessions("default").exists()
    assert phone.standing == "revoked"


def test_sessions_below_either_floor_are_not_live(phone: Device, user: Any) -> None:
    DeviceSession.objects.update(ended_at=None)
    UserTokenState.objects.update(session_floor=2**62)
    assert not live_sessions("default").exists()
    UserTokenState.objects.update(session_floor=0)
    assert live_sessions("default").exists()
    api.revoke_everyone()
    assert not live_sessions("default").exists()


def test_sessions_without_a_state_are_not_live(phone: Device) -> None:
    UserTokenState.objects.all().delete()
    assert not live_sessions("default").exists()


def test_whether_everything_ended_since_a_token_was_issued(claims: Claims, user: Any) -> None:
    """What a log-out everywhere is told the second time."""
    assert all_ended_since("default", claims) is False
    api.revoke_user(user, effect="access")
    assert all_ended_since("default", claims) is False
    api.revoke_user(user)
    assert all_ended_since("default", claims) is True


def test_everyone_s_log_out_ended_everything_too(claims: Claims) -> None:
    api.revoke_everyone()
    assert all_ended_since("default", claims) is True


def test_everything_of_a_deleted_user_has_ended(claims: Claims, user: Any) -> None:
    user.delete()
    assert all_ended_since("default", claims) is True


def test_a_user_model_without_is_active_has_only_active_users() -> None:
    assert is_active(object())


@pytest.mark.parametrize("unusable", ["", None, "!", "!random"])
def test_every_unusable_password_is_one(unusable: str | None) -> None:
    assert password_fingerprint(unusable) == password_fingerprint("!another")


def test_passwords_as_stored_are_told_apart() -> None:
    assert password_fingerprint("md5$a$1") != password_fingerprint("md5$a$2")


def test_an_account_s_fingerprint_starts_with_whether_it_is_active(user: Any) -> None:
    active = account_fingerprint(user)
    user.is_active = False
    assert (active[0], account_fingerprint(user)[0]) == ("a", "i")
    assert active[1:] == account_fingerprint(user)[1:]
    assert len(active) == 65


def test_an_account_s_fingerprint_goes_by_the_watched_fields(user: Any, settings: Any) -> None:
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "WATCHED_FIELDS": ["role"]}
    before = account_fingerprint(user)
    user.is_staff, user.email = True, "new@example.com"
    assert account_fingerprint(user) == before
    user.role = "editor"
    assert account_fingerprint(user) != before


def test_watched_fields_are_those_that_the_model_has(settings: Any) -> None:
    names = ["is_staff", "is_superuser", "role", "groups", "missing"]
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "WATCHED_FIELDS": names}
    assert list(watched_fields()) == ["is_staff", "is_superuser", "role"]
    assert list(unknown_watched_fields()) == ["groups", "missing"]


def test_the_default_watched_fields_may_be_missing(settings: Any) -> None:
    settings.AUTH_USER_MODEL = "auth.Group"
    assert list(watched_fields()) == []
    assert list(unknown_watched_fields()) == []


def test_a_manager_that_hides_a_user_hides_it_from_us(
    claims: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Soft deletion, or somebody else's tenant."""
    from django.db.models import QuerySet

    def get_queryset(self: Any) -> Any:
        return QuerySet(self.model).exclude(username="alice")

    manager = get_user_model()._default_manager
    monkeypatch.setattr(type(manager), "get_queryset", get_queryset)
    assert not facts_queryset("default", uuid4()).filter(pk=claims.sub).exists()


# ``sub`` as an opaque id (s12)


KEY = UUID("7c1f1f9e-3f5c-4a39-8b51-f3f0a6a5d9c1")


@pytest.fixture
def opaque(settings: Any, user: Any) -> Claims:
    """The claims of a token that says one."""
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SUBJECT": "opaque"}
    return decode_access(Device(user).access, key_ring())


def test_an_opaque_id_means_its_user(opaque: Claims, user: Any) -> None:
    assert (user_key(opaque), subject_of_user(opaque)) == (user.pk, str(user.pk))


def test_whose_an_opaque_id_is_is_asked_once(
    opaque: Claims, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        user_key(opaque)
        subject_of_user(opaque)


def test_an_opaque_id_that_is_nobodys_is_asked_for_again(
    opaque: Claims, django_assert_num_queries: Any
) -> None:
    """It may become somebody's: what another transaction is about to commit, say."""
    nobody = replace(opaque, sub=uuid4().urn)
    with django_assert_num_queries(2):
        assert (user_key(nobody), subject_of_user(nobody)) == (None, None)


@pytest.mark.parametrize("spell", [str.upper, " {}".format, "{{{}}}".format, "{}\n".format])
def test_a_second_spelling_of_an_opaque_id_means_nobody(opaque: Claims, spell: Any) -> None:
    assert user_key(replace(opaque, sub=spell(opaque.sub))) is None


@pytest.mark.parametrize("key", ["1", "alice", str(KEY), KEY.hex])
def test_a_key_is_no_opaque_id(opaque: Claims, key: str) -> None:
    """Not even a UUID: whoever may choose their own key cannot be taken for another user."""
    assert opaque_subject(replace(opaque, sub=key)) is None


@pytest.mark.parametrize("model", ["accounts.Member", "accounts.UUIDMember"])
def test_an_opaque_id_is_no_key(opaque: Claims, settings: Any, model: str) -> None:
    """Nor is a token of before the setting was changed let in as nobody at all."""
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "SUBJECT": "pk"}
    settings.AUTH_USER_MODEL = model
    assert user_key(opaque) is None


def test_a_database_that_does_not_say_whose_an_id_is_is_unavailable(
    opaque: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invariant 4."""

    def fail(*_args: Any) -> None:
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(CursorWrapper, "execute", fail)
        with pytest.raises(Unavailable):
            user_key(opaque)


@pytest.mark.parametrize(("effect", "ended"), [("access", False), ("session", True)])
def test_whose_sessions_ended_is_known_though_the_id_is_nobodys_now(
    opaque: Claims, user: Any, effect: str, ended: bool
) -> None:
    api.renew_subject(user, effect=effect)
    assert all_ended_since("default", opaque) is ended


def test_everything_of_an_id_that_never_was_has_ended(opaque: Claims) -> None:
    claims = replace(opaque, sub=uuid4().urn, sid=uuid4())
    assert all_ended_since("default", claims) is True
