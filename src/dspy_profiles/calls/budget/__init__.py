"""Limits on calls, tokens and money, for one process or many."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.calls.budget._budget import Account as Account
    from dspy_profiles.calls.budget._budget import Accounts as Accounts
    from dspy_profiles.calls.budget._budget import Budget as Budget
    from dspy_profiles.calls.budget._shared_tally import Tally as Tally
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_budget": "Account Accounts Budget",
            "_shared_tally": "Tally",
        },
    )
