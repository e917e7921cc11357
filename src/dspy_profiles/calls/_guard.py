"""No call leaves this machine: the guard that tests, and forced offline sessions, stand behind."""

from dspy_profiles.calls._held import Refused
from dspy_profiles.calls._stage import Answer, Call, Stage
from dspy_profiles.errors import LiveCallBlocked

__all__ = ["FORCED", "Guard"]

# What to do where an offline profile is forced on code that has an LM of its own.
FORCED = "code that names its own LM knows nothing of profiles: give it the active one, lm()"

_WHAT = {
    "lm": "would call the model {}",
    "embedder": "would ask the model {} for embeddings",
    "retriever": "would ask the retriever at {}",
}


class Guard(Stage):
    """Holds back every call that would ask somebody: all but mocks, replays and what is cached."""

    rank = 20

    def __init__(self, who: str, why: str, hint: str) -> None:
        self._who = who  # "tests/test_qa.py::test_capital", "this program"
        self._why = why  # "--dspy-live block"
        self._hint = hint

    def before(self, call: Call) -> Answer | None:
        if call.offline:
            return None
        what = _WHAT[call.kind].format(call.model)
        said = f"{self._who} {what}, but live calls are blocked ({self._why})"
        raise Refused(LiveCallBlocked(said, self._hint))
