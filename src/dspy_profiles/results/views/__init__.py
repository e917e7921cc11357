"""Views of experiments: terminal, notebook, one static page.

Nothing here imports DSPy; rich and jinja2 are imported where they are needed.
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.results.views._step_lines import HINT as HINT
    from dspy_profiles.results.views._step_lines import folded as folded
    from dspy_profiles.results.views._step_lines import step_lines as step_lines
    from dspy_profiles.results.views._timeline import Step as Step
    from dspy_profiles.results.views._timeline import Timeline as Timeline
    from dspy_profiles.results.views._views import ExperimentView as ExperimentView
    from dspy_profiles.results.views._views import ListView as ListView
    from dspy_profiles.results.views._views import TrialView as TrialView
    from dspy_profiles.results.views._views import view_experiment as view_experiment
    from dspy_profiles.results.views._views import view_list as view_list
    from dspy_profiles.results.views._views import view_trial as view_trial
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_step_lines": "HINT folded step_lines",
            "_timeline": "Step Timeline",
            "_views": "ExperimentView ListView TrialView view_experiment view_list view_trial",
        },
    )
