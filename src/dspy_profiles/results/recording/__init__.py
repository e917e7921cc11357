"""Record what DSPy does as an experiment."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.results._ids import new_id as new_id
    from dspy_profiles.results.recording._callback_base import error_of as error_of
    from dspy_profiles.results.recording._environment import command as command
    from dspy_profiles.results.recording._experiment import ExperimentWriter as ExperimentWriter
    from dspy_profiles.results.recording._experiment import say as say
    from dspy_profiles.results.recording._experiment import shared_folder as shared_folder
    from dspy_profiles.results.recording._worker import WorkerJournal as WorkerJournal
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "/dspy_profiles.results._ids": "new_id",
            "_callback_base": "error_of",
            "_environment": "command",
            "_experiment": "ExperimentWriter say shared_folder",
            "_worker": "WorkerJournal",
        },
    )
