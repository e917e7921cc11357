"""One attempt to reach a model, and what is done with it instead of making it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ["REPLAYED", "Attempt", "Call", "Route"]

# Set on an error that a stage has answered with: DSPy does not wait before it tries again.
REPLAYED = "dspy_profiles_replayed"


@dataclass(eq=False, slots=True)
class Call:
    """One attempt to reach a model. Each retry of DSPy is a call of its own.

    Without a `request`, the events of a stream are the chunks that the engine has sent.
    """

    kind: Literal["lm", "embedder", "retriever"]
    model: str
    lm: Any = None  # the LM that was called
    request: Any = None  # as the engine receives it; None if it receives `legacy` alone
    legacy: Mapping[str, Any] = field(default_factory=dict)
    provider: str | None = None
    rollout: Any = None  # DSPy's rollout_id, which no request contains
    offline: bool = False  # not a live call
    streamed: bool = False
    replayed: bool = False  # a stage has answered it
    whole: bool = False  # set by a stage: DSPy receives a stream only when all of it has arrived
    events: Sequence[Any] = ()  # the events of such a stream before it failed


class Attempt(Protocol):
    """A call on its way."""

    call: Call

    @property
    def delivered(self) -> Sequence[Any]:
        """The events of a stream that waited for its end, or that replace the call's."""

    def priced(self, cost: float | None) -> None:
        """Take the cost of the finished call, as DSPy reports it; None is unknown."""


Sent = AbstractContextManager[object]


class Route(Protocol):
    """The way of a call through the stages. There is one: that of `calls`."""

    def stages(self) -> Sequence[Any]:
        """Return the stages that are active where this runs."""

    def bypasses_cache(self) -> bool:
        """Return whether calls go through the stages before DSPy's cache is read."""

    def attempt(self, call: Call, stages: Sequence[Any]) -> Any:
        """Return the call on its way through these stages."""

    def call(self, attempt: Any, send: Any, sent: Sent = ...) -> Any:
        """Make the call; `sent` holds while the model is asked."""

    def acall(self, attempt: Any, send: Any, sent: Sent = ...) -> Any: ...

    def stream(self, attempt: Any, open_source: Any) -> Any: ...

    def astream(self, attempt: Any, open_source: Any) -> Any: ...

    def passed(self, lm: Any) -> None:
        """Take note of an LM whose call was made without stages, or was replayed."""

    def cached(self, lm: Any) -> None:
        """Take note of an LM whose response came from DSPy's cache."""
