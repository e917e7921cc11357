"""Calls are reserved before they are made; what they cost is added when it is known."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from dspy_profiles._locks import ProcessLock
from dspy_profiles.calls._held import Refused
from dspy_profiles.calls._stage import Answer, Call, Stage
from dspy_profiles.calls.budget._shared_tally import Slots, Spent, Tally
from dspy_profiles.config import Limits
from dspy_profiles.display import counted, exact
from dspy_profiles.errors import BudgetExceeded

__all__ = ["Account", "Budget"]


class Account:
    """One limit and what was spent of it: in this process, or with others in a file's place."""

    def __init__(
        self, name: str, limits: Limits, tally: Tally | None = None, place: int = 0
    ) -> None:
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
        """What was spent so far; `slots` is the file of a session, open, where there is one."""
        return self._own if self.tally is None or slots is None else slots[self._place]

    def write(self, slots: Slots | None, spent: Spent) -> None:
        if self.tally is None or slots is None:
            self._own = spent
        else:
            slots[self._place] = spent

    def refusal(self, spent: Spent, model: str) -> BudgetExceeded | None:
        """Why the next call is not made, if it is not."""
        for kind in ("calls", "tokens", "usd"):
            limit, so_far = getattr(self.limits, kind), getattr(spent, kind)
            if limit is not None and so_far >= limit:
                return BudgetExceeded(
                    f"the budget of {self.name} is spent: {_amount(kind, so_far, limit)}; "
                    f"the next call of {model} was not made",
                    hint=f"{self._told(spent)}; raise the budget, or look for a loop there",
                )
        return None

    def _told(self, spent: Spent) -> str:
        by_model = ", ".join(f"{model} {count}" for model, count in self.models.most_common())
        elsewhere = spent.calls - self.models.total()
        if elsewhere > 0:
            by_model += f"{', ' if by_model else ''}{elsewhere} in other processes"
        flight = f", {self.in_flight} still under way" if self.in_flight else ""
        usd = f", {exact(spent.usd)}" if spent.usd else ""
        models = f" ({by_model})" if by_model else ""
        calls = counted(spent.calls, "call")
        return f"{calls}{models}{flight}, {counted(spent.tokens, 'token')}{usd}"


_lock = ProcessLock()


class Budget(Stage):
    """Holds back the call that would pass a limit of one of these accounts."""

    rank = 30

    def __init__(self, accounts: Sequence[Account]) -> None:
        self._accounts = accounts
        # One file at most: the accounts that are shared are those of one session.
        self._tally = next((a.tally for a in accounts if a.tally is not None), None)

    def before(self, call: Call) -> Answer | None:
        if call.kind != "lm":
            return None
        with self._locked() as slots:
            sums = [(account, account.read(slots)) for account in self._accounts]
            for account, spent in sums:
                if (refused := account.refusal(spent, call.model)) is not None:
                    raise Refused(refused)
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
        for account in self._accounts:
            if account.limits.usd is not None:
                raise Refused(
                    BudgetExceeded(
                        f"the price of {call.model} is not known, so the budget of {account.name} "
                        "in dollars cannot be kept",
                        hint="limit tokens= or calls= in place of usd=",
                    )
                )

    def _add(self, *, tokens: int = 0, usd: float = 0.0, ended: int = 0) -> None:
        with self._locked() as slots:
            for account in self._accounts:
                spent = account.read(slots)
                account.in_flight -= ended
                account.write(slots, Spent(spent.calls, spent.tokens + tokens, spent.usd + usd))

    @contextmanager
    def _locked(self) -> Iterator[Slots | None]:
        """No other thread, and no other process of the session, counts meanwhile."""
        with _lock, nullcontext() if self._tally is None else self._tally.locked() as slots:
            yield slots


def _amount(kind: str, so_far: Any, limit: Any) -> str:
    if kind == "usd":
        return f"{exact(so_far)} of {exact(limit)}"
    return f"{so_far:,} of {counted(limit, kind.removesuffix('s'))}"
