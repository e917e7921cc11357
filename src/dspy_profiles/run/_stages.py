"""The stages of a program's session. A call that they refuse fails the run, even if caught."""

from dspy_profiles.calls import Answer, Call, Guard, Refused, Stage
from dspy_profiles.calls.cassettes import Player
from dspy_profiles.run._refusals import REFUSALS

__all__ = ["SessionGuard", "SessionPlayer", "SessionReplay"]


class _Reporting(Stage):
    """Report what the stage behind it refuses."""

    def before(self, call: Call) -> Answer | None:
        try:
            return super().before(call)
        except Refused as held:
            REFUSALS.note(held.error)
            raise


class SessionGuard(_Reporting, Guard):
    """Block live calls."""


class SessionPlayer(_Reporting, Player):
    """Replay the cassette of `run`, or record on it."""


class SessionReplay(Stage):
    """Report misses of a `replay` profile: there the engine misses, and no stage."""

    def failed(self, call: Call, error: BaseException) -> BaseException | None:  # noqa: ARG002 - it says which
        if isinstance(error, Refused):
            REFUSALS.note(error.error)
        return None
