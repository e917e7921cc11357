"""The guard blocks live calls: in tests, and in sessions that are forced offline."""

from dspy_profiles._dspy import Call
from dspy_profiles.calls._held import Refused
from dspy_profiles.calls._stage import Answer, Stage
from dspy_profiles.errors import LiveCallBlocked

__all__ = ["FORCED", "Guard"]

# The hint if an offline profile is forced on code that creates its own LM.
FORCED = "in code that creates its own LM, use that of the active profile: dspy_profiles.lm()"

_CALLS = {
    "lm": "a live call to {}",
    "embedder": "a live call to the embedder {}",
    "retriever": "a live call to the retriever {}",
}


class Guard(Stage):
    """Blocks live calls. Offline engines, replays and cached responses pass."""

    rank = 20

    def __init__(self, owner: str, reason: str, hint: str) -> None:
        """`owner` is a test or "this program"; `reason` is the option that blocks."""
        self._owner = owner
        self._reason = reason
        self._hint = hint

    def before(self, call: Call) -> Answer | None:
        if call.offline:
            return None
        blocked = _CALLS[call.kind].format(call.model)
        message = f"blocked {blocked} in {self._owner} ({self._reason})"
        raise Refused(LiveCallBlocked(message, self._hint))
