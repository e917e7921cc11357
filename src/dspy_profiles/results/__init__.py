"""The durable record of what programs did: experiments, their trials, and every event in these.

Each name is loaded when it is first used; opening and asking a store never imports DSPy.
"""

from importlib import import_module

TYPE_CHECKING = False  # `typing` would cost as much as all the rest
if TYPE_CHECKING:
    from dspy_profiles.errors import ExperimentNotFound
    from dspy_profiles.results.loading import load_examples
    from dspy_profiles.results.model import (
        Candidate,
        Decision,
        Event,
        Experiment,
        Fault,
        Score,
        Trial,
    )
    from dspy_profiles.results.recording import Recording, record
    from dspy_profiles.results.store import Store, open_store
    from dspy_profiles.results.views import (
        ExperimentView,
        TrialView,
        view_experiment,
        view_trial,
    )

__all__ = [
    "Candidate",
    "Decision",
    "Event",
    "Experiment",
    "ExperimentNotFound",
    "ExperimentView",
    "Fault",
    "Recording",
    "Score",
    "Store",
    "Trial",
    "TrialView",
    "load_examples",
    "open_store",
    "record",
    "view_experiment",
    "view_trial",
]

_HOMES = {
    "ExperimentNotFound": "dspy_profiles.errors",
    "ExperimentView": "dspy_profiles.results.views",
    "Recording": "dspy_profiles.results.recording",
    "Store": "dspy_profiles.results.store",
    "TrialView": "dspy_profiles.results.views",
    "load_examples": "dspy_profiles.results.loading",
    "open_store": "dspy_profiles.results.store",
    "record": "dspy_profiles.results.recording",
    "view_experiment": "dspy_profiles.results.views",
    "view_trial": "dspy_profiles.results.views",
}


if not TYPE_CHECKING:  # a type checker is not to take every misspelt name for one of ours

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = _HOMES.get(name, f"{__name__}.model")
        value = getattr(import_module(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
