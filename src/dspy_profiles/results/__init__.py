"""The durable record of programs: experiments, their trials, and the events of each.

Opening and reading a store never imports DSPy.
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.errors import ExperimentNotFound as ExperimentNotFound
    from dspy_profiles.results._model import Candidate as Candidate
    from dspy_profiles.results._model import Decision as Decision
    from dspy_profiles.results._model import Event as Event
    from dspy_profiles.results._model import Experiment as Experiment
    from dspy_profiles.results._model import Fault as Fault
    from dspy_profiles.results._model import Score as Score
    from dspy_profiles.results._model import Trial as Trial
    from dspy_profiles.results.export._load import load_examples as load_examples
    from dspy_profiles.results.recording._block import Recording as Recording
    from dspy_profiles.results.recording._block import record as record
    from dspy_profiles.results.store._base import BaseStore as BaseStore
    from dspy_profiles.results.store._open import open_store as open_store
    from dspy_profiles.results.store._protocol import ExperimentQuery as ExperimentQuery
    from dspy_profiles.results.store._protocol import Store as Store
    from dspy_profiles.results.store._protocol import TrialQuery as TrialQuery
    from dspy_profiles.results.views._views import ExperimentView as ExperimentView
    from dspy_profiles.results.views._views import TrialView as TrialView
    from dspy_profiles.results.views._views import view_experiment as view_experiment
    from dspy_profiles.results.views._views import view_trial as view_trial
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "/dspy_profiles.errors": "ExperimentNotFound",
            "_model": "Candidate Decision Event Experiment Fault Score Trial",
            "export._load": "load_examples",
            "recording._block": "Recording record",
            "store._base": "BaseStore",
            "store._open": "open_store",
            "store._protocol": "ExperimentQuery Store TrialQuery",
            "views._views": "ExperimentView TrialView view_experiment view_trial",
        },
    )
