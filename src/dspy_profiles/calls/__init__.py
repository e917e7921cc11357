"""One stage before and after every call to a model. Whoever wants a say in one plugs in here.

The only room that stands in DSPy's way to its LMs, embedders and retrievers.
"""

from dspy_profiles.calls.callers import caller
from dspy_profiles.calls.held import BrokenOff, Held, held_in, let_out
from dspy_profiles.calls.sending import reader
from dspy_profiles.calls.stage import REPLAYED, STAGES, Answer, Call, Stage
from dspy_profiles.calls.taps import tap, watch

__all__ = [
    "REPLAYED",
    "STAGES",
    "Answer",
    "BrokenOff",
    "Call",
    "Held",
    "Stage",
    "caller",
    "held_in",
    "let_out",
    "reader",
    "tap",
    "watch",
]
