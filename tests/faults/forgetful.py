"""A backend that is wrong on purpose, as a cache of verdicts is: the judge has to convict it."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.models import AbstractBaseUser

from jwt_revoke.backends.database import DatabaseBackend
from jwt_revoke.claims import Claims

REMEMBERED = 0.5


class ForgetfulBackend(DatabaseBackend):
    """Asks the database about a token only now and then, and believes itself in between."""

    def check(self, claims: Claims, *args: Any) -> AbstractBaseUser | None:
        accepted: dict[str, tuple[float, Any]] = vars(self).setdefault("accepted", {})
        since, user = accepted.get(claims.jti, (0.0, None))
        if user is not None and time.monotonic() - since < REMEMBERED:
            return user
        user = super().check(claims, *args)
        accepted[claims.jti] = time.monotonic(), user
        return user
