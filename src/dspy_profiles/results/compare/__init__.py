"""Compare two experiments, example by example."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.results.compare._compare import CLOSE as CLOSE
    from dspy_profiles.results.compare._compare import check_gate as check_gate
    from dspy_profiles.results.compare._compare import diff_experiments as diff_experiments
    from dspy_profiles.results.compare._model import Change as Change
    from dspy_profiles.results.compare._model import ExperimentDiff as ExperimentDiff
    from dspy_profiles.results.compare._model import Gate as Gate
    from dspy_profiles.results.compare._model import ModuleDiff as ModuleDiff
    from dspy_profiles.results.compare._model import Side as Side
    from dspy_profiles.results.compare._model import TrialDiff as TrialDiff
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_compare": "CLOSE check_gate diff_experiments",
            "_model": "Change ExperimentDiff Gate ModuleDiff Side TrialDiff",
        },
    )
