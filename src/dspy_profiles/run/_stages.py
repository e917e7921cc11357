"""The stages of a program's session. What they hold back fails the program, whoever catches it."""

from dspy_profiles.calls import Answer, Call, Guard, Refused, Stage
from dspy_profiles.calls.cassettes import Player
from dspy_profiles.run import _exit_code

__all__ = ["SessionGuard", "SessionPlayer", "SessionReplay"]


class _Noting(Stage):
    """What the stage behind it holds back is noted."""

    def before(self, call: Call) -> Answer | None:
        try:
            return super().before(call)
        except Refused as held:
            _exit_code.note(held.error)
            raise


class SessionGuard(_Noting, Guard):
    """Holds back live calls."""


class SessionPlayer(_Noting, Player):
    """Plays the cassette of `run`, or records on it."""


class SessionReplay(Stage):
    """Where the profile itself is a replay: its misses are no stage's, but the engine's."""

    def failed(self, call: Call, error: BaseException) -> BaseException | None:  # noqa: ARG002 - it says which
        if isinstance(error, Refused):
            _exit_code.note(error.error)
        return None
