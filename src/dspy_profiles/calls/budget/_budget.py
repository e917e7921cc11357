"""Calls are reserved before they are made; their tokens and cost are added when known."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from dspy_profiles._dspy import Call
from dspy_profiles._locks import ProcessLock
from dspy_profiles.calls._held import Refused
from dspy_profiles.calls._stage import Answer, Stage
from dspy_profiles.calls.budget._shared_tally import Slots, Spent, Tally
from dspy_profiles.config import Budgets, Limits
from dspy_profiles.display import counted, exact
from dspy_profiles.errors import BudgetExceeded

__all__ = ["Account", "Accounts", "Budget"]


class Account:
    """One set of limits, and the use of them: by this process, or by all that share a tally."""

    def __init__(
        self, name: str, limits: Limits, tally: Tally | None = None, place: int = 0
    ) -> None:
        """`name` is that of the owner in errors; `place` is the account's own in the tally."""
        self.name = name
        self.limits = limits
        self.tally = tally
        self._place = place
        self._own = Spent()
        self.in_flight = 0
        self.models: Counter[str] = Counter()  # calls of this process, by model

    @property
    def spent(self) -> Spent:
        if self.tally is None:
            return self._own
        with self.tally.locked() as slots:
            return self.read(slots)

    def read(self, slots: Slots | None) -> Spent:
        """Return the sum so far; `slots` are those of the locked tally, if there is one."""
        return self._own if self.tally is None or slots is None else slots[self._place]

    def write(self, slots: Slots | None, spent: Spent) -> None:
        if self.tally is None or slots is None:
            self._own = spent
        else:
            slots[self._place] = spent

    def refusal(self, spent: Spent, model: str) -> BudgetExceeded | None:
        """Return the error that blocks the next call, if a limit is reached."""
        for kind in ("calls", "tokens", "usd"):
            limit, used = getattr(self.limits, kind), getattr(spent, kind)
            if limit is not None and used >= limit:
                return BudgetExceeded(
                    f"budget of {self.name} reached: {_amount(kind, used, limit)}; "
                    f"blocked a call to {model}",
                    hint=f"raise the limit, or look for a loop (so far: {self._used(spent)})",
                )
        return None

    def _used(self, spent: Spent) -> str:
        sources = [f"{model} {count}" for model, count in self.models.most_common()]
        if (elsewhere := spent.calls - self.models.total()) > 0:
            sources.append(f"{elsewhere} in other processes")
        calls = counted(spent.calls, "call")
        parts = [f"{calls} ({', '.join(sources)})" if len(sources) > 1 else calls]
        if self.in_flight:
            parts.append(f"{self.in_flight} still running")
        parts.append(counted(spent.tokens, "token"))
        if spent.usd:
            parts.append(exact(spent.usd))
        return ", ".join(parts)


class Accounts:
    """The accounts of one owner, such as "this run", and those of single profiles in it.

    `Accounts("this run", Budgets.from_text("usd=5,staging.calls=20")).stage("staging")`.
    Processes with the same budgets and a tally of the same file share them.
    """

    def __init__(self, owner: str, budgets: Budgets, tally: Tally | None = None) -> None:
        limits = [(None, budgets.session), *budgets.profiles.items()]
        self._accounts = {
            profile: Account(f'profile "{profile}"' if profile else owner, most, tally, place)
            for place, (profile, most) in enumerate(limits)
            if most
        }

    def stage(self, profile: str | None = None, *inner: Account) -> "Budget | None":
        """Return the stage for calls under a profile; None if nothing limits them.

        `inner` are accounts of less than the owner, as of one test: errors name them first.
        """
        outer = (self._accounts.get(name) for name in dict.fromkeys((profile, None)))
        accounts = [*inner, *(account for account in outer if account is not None)]
        return Budget(accounts) if accounts else None


_lock = ProcessLock()  # one for all: an account may be in several budgets


class Budget(Stage):
    """Blocks the call that would exceed a limit of one of these accounts."""

    rank = 30

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.accounts = tuple(accounts)
        # One file at most: shared accounts all belong to one owner.
        self._tally = next((a.tally for a in accounts if a.tally is not None), None)

    def before(self, call: Call) -> Answer | None:
        if call.kind != "lm":
            return None
        with self._locked() as slots:
            sums = [(account, account.read(slots)) for account in self.accounts]
            for account, spent in sums:
                if (refusal := account.refusal(spent, call.model)) is not None:
                    raise Refused(refusal)
            for account, spent in sums:
                account.write(slots, spent._replace(calls=spent.calls + 1))
                account.in_flight += 1
                account.models[call.model] += 1
        return None

    def after(self, call: Call, answer: Answer) -> None:
        if call.kind == "lm":
            self._add(tokens=answer.tokens, ended=1)

    def failed(self, call: Call, error: BaseException) -> None:
        if call.kind == "lm":
            self._add(ended=1)

    def priced(self, call: Call, cost: float | None) -> None:
        if call.offline or call.replayed:
            return
        if cost is not None:
            self._add(usd=cost)
            return
        for account in self.accounts:
            if account.limits.usd is not None:
                raise Refused(
                    BudgetExceeded(
                        f"price of {call.model} is unknown, so the budget of {account.name} "
                        "in dollars cannot be enforced",
                        hint="limit tokens= or calls= instead of usd=",
                    )
                )

    def _add(self, *, tokens: int = 0, usd: float = 0.0, ended: int = 0) -> None:
        with self._locked() as slots:
            for account in self.accounts:
                spent = account.read(slots)
                account.in_flight -= ended
                account.write(slots, Spent(spent.calls, spent.tokens + tokens, spent.usd + usd))

    @contextmanager
    def _locked(self) -> Iterator[Slots | None]:
        """Keep out other threads, and other processes that share the tally."""
        with _lock, nullcontext() if self._tally is None else self._tally.locked() as slots:
            yield slots


def _amount(kind: str, used: Any, limit: Any) -> str:
    if kind == "usd":
        return f"{exact(used)} of {exact(limit)}"
    return f"{used:,} of {counted(limit, kind.removesuffix('s'))}"
