"""The public calls, as a site makes them. Their effects over HTTP are in tests/strategies."""

from __future__ import annotations

from uuid import uuid4

import jwt
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.utils import timezone

from jwt_revoke import api
from jwt_revoke.codec import decode_access
from jwt_revoke.exceptions import (
    RefreshReused,
    SessionLimitReached,
    SignInRefused,
    TokenInvalid,
    TokenRevoked,
)
from jwt_revoke.keystore import key_ring
from jwt_revoke.models import DeviceSession, Revocation, UserTokenState
from jwt_revoke.testing import Device
from tests.conftest import make_user
from tests.strategies.over_http import step_clock

pytestmark = pytest.mark.django_db

UNKNOWN = "7c1f1f9e-3f5c-4a39-8b51-f3f0a6a5d9c1"


def users():
    return get_user_model()._default_manager.order_by("pk")


def claims_of(phone):
    return decode_access(phone.access, key_ring())


def payload_of(phone):
    return jwt.decode(phone.access, options={"verify_signature": False})


# Signing in


def test_sign_in_gives_a_pair_and_its_session(user):
    tokens = api.sign_in(user)
    assert DeviceSession.objects.get().pk == tokens.session
    assert tokens.expires_in == 300
    assert not api.is_revoked(tokens.access)
    assert api.refresh(tokens.refresh).session == tokens.session


def test_tokens_do_not_show_in_a_repr(user):
    """Invariant 9."""
    tokens = api.sign_in(user)
    assert tokens.access not in repr(tokens)
    assert tokens.refresh not in repr(tokens)


def test_tokens_cannot_be_changed(user):
    with pytest.raises(AttributeError):
        api.sign_in(user).access = "another"


def test_sign_in_names_the_device_by_its_user_agent(user, rf):
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    api.sign_in(user, rf.get("/", HTTP_USER_AGENT=agent))
    assert DeviceSession.objects.get().name == "Firefox, Linux"


def test_name_that_is_given_goes_before_and_is_cut(user, rf):
    api.sign_in(user, rf.get("/"), device="x" * 500)
    assert DeviceSession.objects.get().name == "x" * 100


def test_device_is_named_by_the_sites_own_function(user, settings):
    settings.JWT_REVOKE = {**settings.JWT_REVOKE, "DEVICE_NAMER": f"{__name__}.name_it"}
    api.sign_in(user)
    assert DeviceSession.objects.get().name == "something"


def name_it(user_agent):
    return "something"


def test_inactive_user_is_refused(user):
    user.is_active = False
    user.save()
    with pytest.raises(SignInRefused):
        api.sign_in(user)
    assert not DeviceSession.objects.exists()


def test_user_who_is_gone_is_refused(user):
    stale = users().get()
    user.delete()
    with pytest.raises(SignInRefused):
        api.sign_in(stale)


def test_password_changed_since_it_was_verified_is_refused(user):
    """The very hash that was verified must be the one in the row (§5, minting order)."""
    verified = users().get()
    user.set_password("another")
    user.save()
    with pytest.raises(SignInRefused):
        api.sign_in(verified)


@pytest.mark.parametrize("refusal", ["limit", "inactive", "password"])
def test_refused_sign_in_leaves_the_callers_transaction_usable(user, settings, refusal):
    stale = users().get()
    settings.JWT_REVOKE = {
        **settings.JWT_REVOKE,
        "MAX_SESSIONS_PER_USER": 1,
        "ON_SESSION_LIMIT": "refuse",
    }
    if refusal == "limit":
        api.sign_in(user)
    elif refusal == "inactive":
        users().update(is_active=False)
    else:
        users().update(password="!")
    with transaction.atomic(), pytest.raises((SignInRefused, SessionLimitReached)):
        api.sign_in(stale)
    assert users().count() == 1


# Refreshing


def test_refresh_of_what_is_no_refresh_token(phone):
    with pytest.raises(TokenInvalid):
        api.refresh(phone.access)


def test_refresh_of_an_ended_session(phone):
    api.revoke_session(phone.session_id)
    with pytest.raises(TokenRevoked):
        api.refresh(phone.refresh_token)


def test_reuse_is_an_exception_of_its_own(phone):
    first = phone.refresh_token
    phone.refresh_tokens()
    phone.refresh_tokens()
    with pytest.raises(RefreshReused):
        api.refresh(first)


# Sessions


def test_session_is_given_as_row_or_id(user):
    for as_what in (lambda row: row, lambda row: row.pk, lambda row: str(row.pk)):
        phone = Device(user)
        assert api.revoke_session(as_what(phone.device_session)) is True
        assert phone.standing == "revoked"


@pytest.mark.parametrize("unknown", [UNKNOWN, uuid4(), "junk", ""])
def test_session_that_is_not_known_is_false_and_logs_nothing(db, unknown):
    assert api.revoke_session(unknown) is False
    assert not Revocation.objects.exists()


def test_end_session_is_a_log_out(phone):
    assert api.end_session(phone.session_id, note="by the support")
    entry = Revocation.objects.get()
    assert (entry.scope, entry.reason, entry.note) == ("session", "logout", "by the support")


def test_sessions_of_a_queryset_are_one_batch(user, phone, laptop):
    api.revoke_session(phone.session_id)
    tablet = Device(user)
    assert api.revoke_sessions(DeviceSession.objects.all(), reason="sweep") == 2
    assert {laptop.standing, tablet.standing} == {"revoked"}
    batch = Revocation.objects.filter(reason="sweep")
    assert len(set(batch.values_list("batch", flat=True))) == 1


def test_no_session_of_a_queryset_is_nothing(phone):
    assert api.revoke_sessions(DeviceSession.objects.none()) == 0
    assert not Revocation.objects.exists()


# Tokens


def test_access_token_is_given_as_text_or_claims(user):
    for as_what in (lambda phone: phone.access, claims_of, payload_of):
        phone = Device(user)
        assert api.is_revoked(as_what(phone)) is False
        assert api.revoke_token(as_what(phone)) is True
        assert api.is_revoked(as_what(phone)) is True
        assert phone.standing == "stale"


def test_token_revoked_twice_is_logged_once(phone):
    assert api.revoke_token(phone.access) is True
    assert api.revoke_token(phone.access) is False
    assert Revocation.objects.count() == 1


def test_refresh_token_ends_its_session(phone):
    assert api.revoke_token(phone.refresh_token, reason="leaked") is True
    assert phone.standing == "revoked"
    assert Revocation.objects.get().scope == "session"
    assert api.revoke_token(phone.refresh_token) is False


def test_expired_token_can_be_revoked_too(phone, monkeypatch):
    step_clock(monkeypatch, 301)
    assert api.revoke_token(phone.access) is True


@pytest.mark.parametrize("junk", ["", "junk", "a.b.c", "x" * 76, {}])
def test_token_that_is_not_ours_is_invalid(db, junk):
    with pytest.raises(TokenInvalid):
        api.revoke_token(junk)


@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(lambda user, phone: api.revoke_token(phone.access), id="token"),
        pytest.param(lambda user, phone: api.revoke_session(phone.session_id), id="session"),
        pytest.param(lambda user, phone: api.revoke_user(user), id="user"),
        pytest.param(lambda user, phone: api.revoke_everyone(), id="everyone"),
        pytest.param(lambda user, phone: user.delete(), id="deleted"),
    ],
)
def test_is_revoked_says_so_whatever_killed_the_token(user, phone, kill):
    assert api.is_revoked(phone.access) is False
    kill(user, phone)
    assert api.is_revoked(phone.access) is True


def test_is_revoked_does_not_count_age(phone, monkeypatch):
    step_clock(monkeypatch, 301)
    assert api.is_revoked(phone.access) is False


def test_token_that_is_not_ours_is_as_good_as_revoked(db):
    assert api.is_revoked("somebody.elses.token") is True


# Users


def test_user_is_given_as_object_or_key(user):
    for as_what in (user, user.pk):
        phone = Device(user)
        api.revoke_user(as_what)
        assert phone.standing == "revoked"


def test_revoke_user_gives_the_new_version(user, phone):
    version = api.revoke_user(user)
    assert version == UserTokenState.objects.get().version
    assert version == Revocation.objects.get().version
    assert version > claims_of(phone).ver


def test_user_who_never_signed_in_can_be_revoked(user):
    """The row appears with the first sign-in or the first revocation."""
    version = api.revoke_user(user)
    assert UserTokenState.objects.get().version == version
    assert Device(user).standing == "live"


def test_revocations_of_one_user_rise_strictly(user, monkeypatch):
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
    versions = [api.revoke_user(user) for _ in range(3)]
    assert versions[0] < versions[1] < versions[2]


def test_users_of_a_queryset_are_revoked_and_others_not(db):
    phones = {name: Device(make_user(name)) for name in ("alice", "bob", "carol")}
    field = get_user_model().USERNAME_FIELD
    assert api.revoke_users(users().filter(**{f"{field}__in": ["alice", "bob"]})) == 2
    standing = {name: phone.standing for name, phone in phones.items()}
    assert standing == {"alice": "revoked", "bob": "revoked", "carol": "live"}


def test_sliced_queryset_revokes_those_in_the_slice(db):
    phones = [Device(make_user(name)) for name in ("alice", "bob", "carol")]
    assert api.revoke_users(users()[:2]) == 2
    assert [phone.standing for phone in phones] == ["revoked", "revoked", "live"]


@pytest.mark.parametrize("nobody", ["none", "no match", "empty list", "empty slice"])
def test_queryset_of_nobody_is_nothing(user, nobody):
    queryset = {
        "none": users().none(),
        "no match": users().filter(pk=user.pk).exclude(pk=user.pk),
        "empty list": users().filter(pk__in=[]),
        "empty slice": users()[5:6],
    }[nobody]
    assert api.revoke_users(queryset) == 0
    assert not Revocation.objects.exists()


def test_bulk_revocation_with_effect_access_lets_everybody_refresh(user, phone):
    api.revoke_users(users(), effect="access")
    assert phone.standing == "stale"
    phone.refresh_tokens()
    assert phone.standing == "live"


def test_everyone_gives_the_new_generation(phone):
    generation = api.revoke_everyone()
    assert Revocation.objects.get().version == generation
    assert phone.standing == "revoked"


@pytest.mark.parametrize("effect", ["", "Session", "all", None])
@pytest.mark.parametrize("call", ["revoke_user", "revoke_users", "revoke_everyone"])
def test_wrong_effect_is_refused_before_anything_is_done(user, phone, call, effect):
    arguments = {"revoke_user": [user], "revoke_users": [users()], "revoke_everyone": []}[call]
    with pytest.raises(ValueError, match="effect is"):
        getattr(api, call)(*arguments, effect=effect)
    assert phone.standing == "live"


@pytest.mark.parametrize("call", ["revoke_user", "revoke_users", "revoke_everyone"])
def test_reason_actor_and_note_are_in_the_log(user, call):
    arguments = {"revoke_user": [user], "revoke_users": [users()], "revoke_everyone": []}[call]
    getattr(api, call)(*arguments, reason="breach", actor=user, note="ticket 17")
    entry = Revocation.objects.get()
    assert (entry.reason, entry.actor, entry.note) == ("breach", str(user.pk), "ticket 17")


def test_reason_actor_and_note_that_are_too_long_are_cut(user):
    api.revoke_user(user, reason="r" * 500, actor="a" * 500, note="n" * 500)
    entry = Revocation.objects.get()
    assert [len(text) for text in (entry.reason, entry.actor, entry.note)] == [40, 255, 255]


# Async code


def test_every_call_has_an_async_twin():
    plain = {name for name in api.__all__ if name != "SignedIn" and "a" + name in api.__all__}
    assert {"SignedIn", *plain, *("a" + name for name in plain)} == set(api.__all__)


def test_async_twins_do_the_same(user):
    tokens = async_to_sync(api.asign_in)(user)
    tokens = async_to_sync(api.arefresh)(tokens.refresh)
    assert async_to_sync(api.ais_revoked)(tokens.access) is False
    assert async_to_sync(api.arevoke_token)(tokens.access) is True
    assert async_to_sync(api.ais_revoked)(tokens.access) is True
    assert async_to_sync(api.aend_session)(tokens.session) is True
    other = async_to_sync(api.asign_in)(user)
    assert async_to_sync(api.arevoke_session)(other.session) is True
    Device(user)
    assert async_to_sync(api.arevoke_sessions)(DeviceSession.objects.all()) == 1
    assert async_to_sync(api.arevoke_users)(users()) == 1
    assert async_to_sync(api.arevoke_everyone)() > 0
    version = async_to_sync(api.arevoke_user)(user, before=timezone.now())
    assert version == UserTokenState.objects.get().version


@pytest.mark.parametrize("spell", [" {} ", "00{}"])
def test_a_key_is_logged_as_the_database_holds_it(user, phone, spell):
    """A reader of the log who goes by the subject would else miss the revocation."""
    api.revoke_user(spell.format(user.pk))
    assert Revocation.objects.get().subject == str(user.pk)
    assert phone.standing == "revoked"


@pytest.mark.parametrize("nobody", [None, "", "nobody", AnonymousUser()])
def test_nobody_is_no_user_to_revoke(db, nobody):
    with pytest.raises(ValueError, match="primary key"):
        api.revoke_user(nobody)


def test_a_refresh_without_a_request_may_be_repeated(phone):
    """The grace compares what the last refresh stored, also of a caller without a request."""
    first = api.refresh(phone.refresh_token)
    assert api.refresh(phone.refresh_token).refresh == first.refresh


# An opaque id renewed (s12)


def test_renewing_a_subject_is_told_and_logged(user, revocations):
    with revocations() as revoked:
        api.renew_subject(user, actor="7", note="ticket 17")
    (told,) = revoked
    assert (told["scope"], told["subject"], told["effect"]) == ("user", str(user.pk), "session")
    entry = Revocation.objects.get()
    assert (entry.reason, entry.actor, entry.note) == ("subject_renewed", "7", "ticket 17")


@pytest.mark.parametrize("spell", ["{}", " {} "])
def test_a_subject_is_renewed_by_the_key_too(user, phone, spell):
    before = UserTokenState.objects.get().subject
    api.renew_subject(spell.format(user.pk))
    assert UserTokenState.objects.get().subject != before
    assert phone.standing == "revoked"


@pytest.mark.parametrize("nobody", [None, "", "nobody", AnonymousUser()])
def test_nobody_has_no_subject_to_renew(db, nobody):
    with pytest.raises(ValueError, match="primary key"):
        api.renew_subject(nobody)


def test_a_subject_is_renewed_with_an_effect_there_is(user):
    with pytest.raises(ValueError, match="effect"):
        api.renew_subject(user, effect="everything")
    assert not Revocation.objects.exists()


def test_async_code_renews_a_subject(user, phone):
    async_to_sync(api.arenew_subject)(user, effect="access")
    assert phone.standing == "stale"
