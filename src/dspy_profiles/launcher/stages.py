"""The stages of a program's session. What they hold back fails the program, whoever catches it."""

from dspy_profiles.calls import Answer, Call, Held, Stage
from dspy_profiles.cassettes import Player
from dspy_profiles.guard import Guard
from dspy_profiles.launcher import verdict

__all__ = ["SessionGuard", "SessionPlayer", "SessionReplay"]


class _Noting(Stage):
    """What the stage behind it holds back is noted."""

    def before(self, call: Call) -> Answer | None:
        try:
            return super().before(call)
        except Held as held:
            verdict.note(held.error)
            raise


class SessionGuard(_Noting, Guard):
    """Holds back live calls."""


class SessionPlayer(_Noting, Player):
    """Plays the cassette of `run`, or records on it."""


class SessionReplay(Stage):
    """Where the profile itself is a replay: its misses are no stage's, but the engine's."""

    def failed(self, call: Call, error: BaseException) -> BaseException | None:  # noqa: ARG002 - it says which
        if isinstance(error, Held):
            verdict.note(error.error)
        return None
