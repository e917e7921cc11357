"""Owners of calls: tests, and fixtures that outlive tests. Each has its own stages."""

from dataclasses import dataclass, field

from dspy_profiles.calls import FORCED, Guard, Meter, Stage, Usage, total
from dspy_profiles.calls.budget import Account, Accounts, Tally
from dspy_profiles.calls.cassettes import Cassette, stages_for
from dspy_profiles.config import Budgets, Limits

__all__ = ["Scope", "Scopes"]

HINT = (
    'mark the test @pytest.mark.dspy_profile("mock"), record a cassette, or run '
    "pytest --dspy-live allow"
)
FORCED_HINT = f"{FORCED}; or run pytest --dspy-live allow"


@dataclass(eq=False)
class Scope:
    """One owner of calls. It still counts after its end, as threads may outlive it."""

    name: str
    profile: str
    stages: tuple[Stage, ...]
    meter: Meter
    cassette: Cassette | None = None
    trial: str | None = None  # its trial in the experiment of the session
    is_reported: bool = False  # a test or a fixture has failed because of a refused call

    @property
    def usage(self) -> Usage:
        return self.meter.so_far


@dataclass
class Scopes:
    """All scopes of this process."""

    budgets: Budgets
    tally: Tally | None
    live_blocked_by: str | None
    forced_by: str | None = None  # keeps a session offline, even without a mark
    all: list[Scope] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._accounts = Accounts("this session", self.budgets, self.tally)

    def open(
        self,
        name: str,
        profile: str,
        limits: Limits | None = None,
        *,
        blocked_by: str | None = None,
        cassette: Cassette | None = None,
    ) -> Scope:
        """Return a new scope with its stages: meter, cassette, guard, budget."""
        meter = Meter()
        stages: list[Stage] = [meter, *stages_for(cassette)]
        if (forced_by := blocked_by or self.forced_by) is not None:
            stages.append(Guard(name, forced_by, FORCED_HINT))
        elif self.live_blocked_by is not None:
            stages.append(Guard(name, self.live_blocked_by, HINT))
        own = [Account(name, limits)] if limits else []
        if (budget := self._accounts.stage(profile, *own)) is not None:
            stages.append(budget)
        scope = Scope(name, profile, tuple(stages), meter, cassette)
        self.all.append(scope)
        return scope

    def by_profile(self) -> dict[str, Usage]:
        """Return the usage of this process under each profile."""
        names = dict.fromkeys(scope.profile for scope in self.all)
        return {n: total(s.usage for s in self.all if s.profile == n) for n in names}
