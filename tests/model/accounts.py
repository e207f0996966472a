"""What happens to accounts: made, changed, deleted, revoked; seen by a signal, or by nobody."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from hypothesis import strategies as st
from hypothesis.stateful import precondition

from jwt_revoke import api
from jwt_revoke.maintenance import reconcile
from jwt_revoke.models import write_alias
from tests.model.model import UNKNOWN, Account, Row, as_stored
from tests.model.world import IDLE_STEP, NUMBERS, World, pick, step, with_sittings

EFFECTS = st.sampled_from(["session", "access", "access"])
MOST_ACCOUNTS = 4


class Accounts(World):
    """``unseen``: by a statement that no signal tells of."""

    def _there(self, number: int) -> Account | None:
        return pick([one for one in self.model.accounts if one.row is not None], number)

    @precondition(lambda self: len(self.model.accounts) < MOST_ACCOUNTS)
    @step()
    def somebody(self) -> None:
        self.make_account()

    def _change(self, account: Account, unseen: bool, **fields: Any) -> None:
        rows = get_user_model()._base_manager.filter(pk=account.key)
        if unseen:
            rows.update(**fields)
            return
        user = rows.get()
        for name, value in fields.items():
            setattr(user, name, value)
        user.save()
        self.model.settle(account)

    @step(number=NUMBERS, unseen=st.booleans(), password=st.integers(0, 1))
    def change_password(self, number: int, unseen: bool, password: int) -> Any:
        account = self._there(number)
        if account is None:
            return IDLE_STEP
        self.model.change(account, password=as_stored(password))
        return self._change(account, unseen, password=as_stored(password))

    @step(number=NUMBERS, unseen=st.booleans(), active=st.booleans())
    def suspend_or_activate(self, number: int, unseen: bool, active: bool) -> Any:
        account = self._there(number)
        if account is None:
            return IDLE_STEP
        self.model.change(account, active=active)
        return self._change(account, unseen, is_active=active)

    @step(number=NUMBERS, unseen=st.booleans(), staff=st.booleans())
    def change_role(self, number: int, unseen: bool, staff: bool) -> Any:
        account = self._there(number)
        if account is None:
            return IDLE_STEP
        self.model.change(account, staff=staff)
        return self._change(account, unseen, is_staff=staff)

    @step(number=NUMBERS, unseen=st.booleans())
    def delete(self, number: int, unseen: bool) -> Any:
        account = self._there(number)
        if account is None:
            return IDLE_STEP
        account.row = None
        rows = get_user_model()._base_manager.filter(pk=account.key)
        if unseen:
            return rows._raw_delete(rows.db)
        rows.get().delete()
        return self.model.forget(account)

    @precondition(lambda self: any(one.row is None for one in self.model.accounts))
    @step(number=NUMBERS)
    def create_again(self, number: int) -> Any:
        """Invariant 6. Somebody else, under the same key: nothing of the former one revives."""
        account = pick([one for one in self.model.accounts if one.row is None], number)
        if account is None:
            return IDLE_STEP
        self.new_user(pk=account.key)
        account.row = Row()
        return self.model.settle(account, new=True)

    @step(number=NUMBERS, effect=EFFECTS)
    def revoke_user(self, number: int, effect: str) -> Any:
        """Of an account that is gone, too."""
        account = pick(self.model.accounts, number)
        if account is None:
            return IDLE_STEP
        api.revoke_user(account.key, effect=effect)
        return self.model.revoke(account, effect)

    @with_sittings
    @step(number=NUMBERS)
    def revoke_user_before(self, number: int) -> None:
        """Those who signed in before one of them did; the others refresh."""
        sitting = self.sitting(number)
        api.revoke_user(sitting.account.key, before=sitting.began)
        self.model.revoke(sitting.account, "access")
        older = [one for one in self.model.of(sitting.account) if one.began < sitting.began]
        self.model.end(older)

    @step(chosen=st.sets(NUMBERS, min_size=1, max_size=3), effect=EFFECTS)
    def revoke_users(self, chosen: set[int], effect: str) -> Any:
        """Those of a queryset: an account that is gone is in none."""
        accounts = {id(one): one for number in chosen if (one := self._there(number))}
        keys = [one.key for one in accounts.values()]
        api.revoke_users(get_user_model()._base_manager.filter(pk__in=keys), effect=effect)
        for account in accounts.values():
            self.model.revoke(account, effect)
        return None if accounts else IDLE_STEP

    @step(effect=EFFECTS)
    def revoke_everyone(self, effect: str) -> None:
        api.revoke_everyone(effect=effect)
        self.model.apply(effect, self.model.sittings)

    @step(number=NUMBERS, effect=EFFECTS)
    def renew_subject(self, number: int, effect: str) -> Any:
        account = self._there(number)
        if account is None:
            return IDLE_STEP
        api.renew_subject(account.key, effect=effect)
        return self.model.revoke(account, effect)

    @step()
    def look_for_the_unseen(self) -> None:
        """``manage.py jwt_revoke reconcile``."""
        reconcile(write_alias(), 2, lambda *_: None)
        for account in self.model.accounts:
            if account.row is None and account.seen is not None:
                self.model.forget(account)
            elif account.seen is not UNKNOWN:
                self.model.settle(account)
