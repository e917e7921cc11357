"""Record what DSPy does as an experiment."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.results._ids import new_id as new_id
    from dspy_profiles.results.recording._emit import emit_decision as emit_decision
    from dspy_profiles.results.recording._environment import command as command
    from dspy_profiles.results.recording._experiment import ExperimentWriter as ExperimentWriter
    from dspy_profiles.results.recording._experiment import say as say
    from dspy_profiles.results.recording._experiment import shared_folder as shared_folder
    from dspy_profiles.results.recording._sinks import Sink as Sink
    from dspy_profiles.results.recording._status import error_of as error_of
    from dspy_profiles.results.recording._worker import WorkerJournal as WorkerJournal
    from dspy_profiles.results.recording._worker import take_part as take_part
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "/dspy_profiles.results._ids": "new_id",
            "_emit": "emit_decision",
            "_environment": "command",
            "_experiment": "ExperimentWriter say shared_folder",
            "_sinks": "Sink",
            "_status": "error_of",
            "_worker": "WorkerJournal take_part",
        },
    )
