"""Run a program under a profile, unchanged: the parent, the child, what passes between them."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.run._asking import is_allowed as is_allowed
    from dspy_profiles.run._command_line import code_of as code_of
    from dspy_profiles.run._command_line import cut_off_by as cut_off_by
    from dspy_profiles.run._command_line import is_pythons as is_pythons
    from dspy_profiles.run._command_line import program_words as program_words
    from dspy_profiles.run._launch import Launch as Launch
    from dspy_profiles.run._launch import Recorded as Recorded
    from dspy_profiles.run._launch import launch as launch
    from dspy_profiles.run._program import run_program as run_program
    from dspy_profiles.run._program import run_recorded as run_recorded
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_asking": "is_allowed",
            "_command_line": "code_of cut_off_by is_pythons program_words",
            "_launch": "Launch Recorded launch",
            "_program": "run_program run_recorded",
        },
    )
