"""What has to come out of every race, whoever wins: nothing lives on, no orphan, no error."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model

from jwt_revoke import api
from jwt_revoke.codec import decode_refresh
from jwt_revoke.exceptions import TokenRefused
from jwt_revoke.keystore import refresh_key_ring
from jwt_revoke.minting import SignedIn
from jwt_revoke.models import DeviceSession, UserTokenState
from tests.races.together import is_busy


def rounds(few: int) -> range:
    """So many turns of a free race; JWT_REVOKE_RACE_ROUNDS of them for a long run."""
    return range(int(os.environ.get("JWT_REVOKE_RACE_ROUNDS", few)))


def handed_out(answers: Iterable[Any]) -> list[tuple[str, str]]:
    """The access and refresh tokens among the answers of a race: objects, or statuses and bodies
    as ``workers`` give them."""
    pairs = []
    for answer in answers:
        if isinstance(answer, SignedIn):
            pairs.append((answer.access, answer.refresh))
        elif isinstance(answer, list) and answer[0] == 200:
            pairs.append((answer[1]["access"], answer[1]["refresh"]))
    return pairs


def living(answers: Iterable[Any]) -> list[str]:
    """The tokens among them that still open something.

    Of the refresh tokens the newest of a session is asked first: an older one would be taken for
    a replay, and end the session before it was seen to live.
    """
    pairs = handed_out(answers)
    found = [access for access, _ in pairs if not api.is_revoked(access)]
    ring = refresh_key_ring()
    newest = sorted(
        {refresh for _, refresh in pairs}, key=lambda raw: -decode_refresh(raw, ring).counter
    )
    for raw in newest:
        try:
            api.refresh(raw)
        except TokenRefused:
            continue
        found.append(raw)
    return found


def assert_no_orphans() -> None:
    """No row of ours is left of a user who is gone, and no session without a state."""
    users = get_user_model()._base_manager.values("pk")
    states = UserTokenState.objects.exclude(pk__in=users).values_list("pk", flat=True)
    assert list(states) == []
    sessions = DeviceSession.objects.exclude(user_id__in=users) | DeviceSession.objects.exclude(
        user_id__in=UserTokenState.objects.values("pk")
    )
    assert list(sessions.values_list("pk", flat=True)) == []


def assert_answered(answers: Iterable[Any], *expected: Any) -> None:
    """Each is one of the expected answers: values, statuses or types; or a "busy, try again"
    where the database may say so. Anything else would be an error to somebody."""
    types = tuple(one for one in expected if isinstance(one, type))
    values = [one for one in expected if not isinstance(one, type)]
    wrong = []
    for answer in answers:
        said = answer[0] if isinstance(answer, list) else answer
        if isinstance(said, types) or said in values or is_busy(said):
            continue
        wrong.append(answer)
    assert wrong == []
