"""What a stage is told of a call, and what it may say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from dspy_profiles.errors import ProfileError

__all__ = ["REPLAYED", "STAGES", "Answer", "Call", "Stage"]

# The stages in force travel under this key among DSPy's settings, as the active profile does.
STAGES = "dspy_profiles_stages"
# Set on an error that a stage has answered with: DSPy does not wait before it tries again.
REPLAYED = "dspy_profiles_replayed"


@dataclass(eq=False, slots=True)
class Call:
    """One attempt to reach a model. DSPy's retries are calls of their own.

    Where there is no `request`, the events of a stream are the chunks that the engine has sent.
    """

    kind: Literal["lm", "embedder", "retriever"]
    model: str
    lm: Any = None  # the LM that was called
    request: Any = None  # as the engine gets it; None where it gets `legacy` alone
    legacy: Mapping[str, Any] = field(default_factory=dict)
    provider: str | None = None
    rollout: Any = None  # DSPy's rollout_id, which no request bears
    offline: bool = False  # it asks nobody
    streamed: bool = False
    replayed: bool = False  # a stage has answered it
    whole: bool = False  # set by a stage: a stream goes on to DSPy when all of it is there
    events: Sequence[Any] = ()  # what such a stream had brought when it failed


@dataclass(eq=False, slots=True)
class Answer:
    """What came back: a result, or the events of a stream. From a stage, in place of a call.

    A stage may answer with an error, after events if there are any: DSPy then does what it does
    with one of the model's. One that is told of an answer may put another result, or events, in it.
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
    """Has a say before and after each call. This one says nothing: override what matters.

    Stages are asked by rank, lowest first; what one answers, or holds back by raising `Held`, those
    after it never hear of. Every method may be called from any thread.
    """

    rank: ClassVar[int] = 0  # who watches is 0; who answers 10; who holds back 20, and counts 30
    bypasses_cache: ClassVar[bool] = False  # whether calls pass it that DSPy's cache would answer

    def before(self, call: Call) -> Answer | None:
        """An answer in place of the call, or None to let it go on."""

    def after(self, call: Call, answer: Answer) -> None:
        """The call was answered, by the model or by a later stage."""

    def failed(self, call: Call, error: BaseException) -> BaseException | None:
        """The call was made, and ended in an error. What is returned is raised in its place.

        A stream without an end event is `BrokenOff`: DSPy finds that out by itself.
        """

    def held(self, call: Call, error: ProfileError) -> None:
        """A later stage, or this one, has held the call back."""

    def priced(self, call: Call, cost: float | None) -> None:
        """What DSPy says the finished call has cost; None: it does not know."""

    def cached(self, lm: Any) -> None:
        """DSPy's own cache has answered; no call was made."""
