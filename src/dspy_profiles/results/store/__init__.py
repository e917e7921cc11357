"""Stores of experiments, behind one protocol."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.results._model import STATUSES as STATUSES
    from dspy_profiles.results.store._find import find_experiment as find_experiment
    from dspy_profiles.results.store._find import find_trial as find_trial
    from dspy_profiles.results.store._open import masked as masked
    from dspy_profiles.results.store._open import open_inside as open_inside
    from dspy_profiles.results.store._open import open_store as open_store
    from dspy_profiles.results.store._protocol import Store as Store
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "/dspy_profiles.results._model": "STATUSES",
            "_find": "find_experiment find_trial",
            "_open": "masked open_inside open_store",
            "_protocol": "Store",
        },
    )
