"""Decisions of code that does not have the recording at hand."""

import sys
from typing import Any

__all__ = ["emit_decision"]

RECORDER = "dspy_profiles.results.recording._callback"


def emit_decision(
    *,
    strategy: str | None = None,
    rationale: str | None = None,
    action: str | None = None,
    worker: str | None = None,
    **more: Any,
) -> None:
    """Record why the program continues as it does, in every recording that is active here.

    The decision belongs to the call that is running. Without a recording it has no effect. Never
    raises: an error counts as a fault of the recording. Does not import DSPy.

    >>> emit_decision(strategy="cheapest", rationale="within budget", action="ask house/small")
    """
    # Without that module, nothing was recorded in this process yet.
    active_recorders = getattr(sys.modules.get(RECORDER), "active_recorders", None)
    if active_recorders is None:
        return
    parts = {"strategy": strategy, "rationale": rationale, "action": action, "worker": worker}
    for recorder in active_recorders():
        recorder.decision({**parts, **more})
