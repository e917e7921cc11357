"""Stages, and what passes between them and DSPy: calls and answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from dspy_profiles._dspy import Call
from dspy_profiles.errors import ProfileError

__all__ = ["STAGES", "Answer", "Stage"]

# The active stages are kept under this key of DSPy's settings, like the active profile.
STAGES = "dspy_profiles_stages"


@dataclass(eq=False, slots=True)
class Answer:
    """A result or the events of a stream, from the model or from a stage instead of the call.

    A stage may answer with an error, after events if there are any: DSPy then treats it as an
    error of the model. In `after`, a stage may replace the result or the events.
    """

    result: Any = None
    events: Sequence[Any] | None = None
    error: Exception | None = None
    usage: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """All tokens, in and out, as far as they were reported."""
        total = self.usage.get("total_tokens")
        if total is None:
            parts = (self.usage.get("prompt_tokens"), self.usage.get("completion_tokens"))
            total = sum(part for part in parts if part is not None)
        return int(total)


class Stage:
    """Hook around every LM, embedder and retriever call. This one does nothing.

    Stages run by `rank`, lowest first. If `before` returns an answer or raises `Refused`, later
    stages are skipped. Every method must be thread-safe.
    """

    rank: ClassVar[int] = 0  # 0 watches, 10 answers, 20 blocks, 30 counts
    bypasses_cache: ClassVar[bool] = False  # whether calls come here before DSPy's cache

    def before(self, call: Call) -> Answer | None:
        """Return an answer to replace the call, or None to continue."""

    def after(self, call: Call, answer: Answer) -> None:
        """Handle the answer of the model, or of a later stage."""

    def failed(self, call: Call, error: BaseException) -> BaseException | None:
        """Handle the error of a call that was made; return another one to raise instead.

        A stream without an end event is `BrokenOff`: DSPy raises its own error for it.
        """

    def held(self, call: Call, error: ProfileError) -> None:
        """Handle the error of this stage, or of a later one, that has blocked the call."""

    def priced(self, call: Call, cost: float | None) -> None:
        """Handle the cost of the finished call, as DSPy reports it; None is unknown."""

    def cached(self, lm: Any) -> None:
        """Handle a response of DSPy's cache; no call was made."""
