"""What was recorded, shown: in a terminal, in a notebook, as one page. One model of rows for all.

Nothing here imports DSPy, and rich and jinja2 only where they are needed.
"""

from dspy_profiles.results.views.faces import (
    ExperimentView,
    ListView,
    TrialView,
    view_experiment,
    view_list,
    view_trial,
)
from dspy_profiles.results.views.steps import Step, Timeline

__all__ = [
    "ExperimentView",
    "ListView",
    "Step",
    "Timeline",
    "TrialView",
    "view_experiment",
    "view_list",
    "view_trial",
]
