"""Stages around every call to a model: meter, guard, budget, cassettes.

The only package that intercepts DSPy's calls to LMs, embedders and retrievers.
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles._dspy import REPLAYED as REPLAYED
    from dspy_profiles._dspy import Call as Call
    from dspy_profiles._dspy import reader as reader
    from dspy_profiles.calls._caller import calling_line as calling_line
    from dspy_profiles.calls._caller import is_own as is_own
    from dspy_profiles.calls._guard import FORCED as FORCED
    from dspy_profiles.calls._guard import Guard as Guard
    from dspy_profiles.calls._held import BrokenOff as BrokenOff
    from dspy_profiles.calls._held import Refused as Refused
    from dspy_profiles.calls._held import raise_refusal as raise_refusal
    from dspy_profiles.calls._held import refusal_in as refusal_in
    from dspy_profiles.calls._meter import Meter as Meter
    from dspy_profiles.calls._meter import Usage as Usage
    from dspy_profiles.calls._meter import total as total
    from dspy_profiles.calls._patch import install as install
    from dspy_profiles.calls._patch import watch as watch
    from dspy_profiles.calls._stage import STAGES as STAGES
    from dspy_profiles.calls._stage import Answer as Answer
    from dspy_profiles.calls._stage import Stage as Stage
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_caller": "calling_line is_own",
            "_guard": "FORCED Guard",
            "_held": "BrokenOff Refused raise_refusal refusal_in",
            "_meter": "Meter Usage total",
            "_patch": "install watch",
            "_stage": "Answer STAGES Stage",
            "/dspy_profiles._dspy": "Call REPLAYED reader",
        },
    )
