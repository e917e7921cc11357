"""Run one command under several versions of DSPy, each in its own environment, and compare."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.versions._compare import Cell as Cell
    from dspy_profiles.versions._compare import Comparison as Comparison
    from dspy_profiles.versions._compare import Difference as Difference
    from dspy_profiles.versions._compare import Row as Row
    from dspy_profiles.versions._compare import compare as compare
    from dspy_profiles.versions._environments import Environment as Environment
    from dspy_profiles.versions._environments import Recipe as Recipe
    from dspy_profiles.versions._environments import checked_version as checked_version
    from dspy_profiles.versions._kept import Kept as Kept
    from dspy_profiles.versions._kept import clean as clean
    from dspy_profiles.versions._kept import kept as kept
    from dspy_profiles.versions._project import Project as Project
    from dspy_profiles.versions._run import Command as Command
    from dspy_profiles.versions._run import Ran as Ran
    from dspy_profiles.versions._run import is_pytest as is_pytest
    from dspy_profiles.versions._run import run_in as run_in
    from dspy_profiles.versions._uv import NoEnvironment as NoEnvironment
    from dspy_profiles.versions._uv import UvNotFound as UvNotFound
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_compare": "Cell Comparison Difference Row compare",
            "_environments": "Environment Recipe checked_version",
            "_kept": "Kept clean kept",
            "_project": "Project",
            "_run": "Command Ran is_pytest run_in",
            "_uv": "NoEnvironment UvNotFound",
        },
    )
