"""What differs between the shapes of DSPy, and which of them is installed."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any, ClassVar, cast

import dspy

from dspy_profiles._dspy._call import Route
from dspy_profiles._dspy._names import unfit
from dspy_profiles._dspy._plain import request_of

__all__ = ["Shape", "shape"]

# In this order; each module has one class, `Here`.
SHAPES = ("_engines", "_legacy")


class Shape(ABC):
    """How one family of releases calls models, and what it sends and receives.

    Requests, responses and events are those of lm15, in every shape.
    """

    has_engines: ClassVar[bool] = False  # whether a user's own engine can serve its LMs
    lm15: Any  # the module with lm15's types
    serde: Any  # the module that makes plain data of them, and back
    errors: ClassVar[tuple[str, ...]] = ("dspy",)  # public modules of errors, the first ones first

    @classmethod
    @abstractmethod
    def is_here(cls) -> bool:
        """Return whether the installed DSPy has what this needs."""

    @abstractmethod
    def patch(self, route: Route) -> None:
        """Lead the calls of LMs along the route: behind DSPy's cache, inside of its retries."""

    @abstractmethod
    def client_keys(self) -> frozenset[str]:
        """Return the arguments of `dspy.LM` that configure a connection."""

    @abstractmethod
    def lm_class(self, engine: Any, async_engine: Any) -> tuple[type, Mapping[str, Any]]:
        """Return the class of LMs that engines serve, and the arguments that name the engines.

        Raises if this DSPy has no LMs for such an engine.
        """

    @abstractmethod
    def engine_of(self, lm: Any) -> Any:
        """Return the engine that serves an LM, or None."""

    @abstractmethod
    def is_dummy(self, part: object) -> bool:
        """Return whether this is DSPy's own LM or engine for tests."""

    @abstractmethod
    def usage_of(self, result: Any, provider: str | None) -> Mapping[str, Any]:
        """Return the tokens of a response, of a stream's last event, or of a result."""

    @abstractmethod
    def response_of(self, events: Sequence[Any], request: Any) -> Any:
        """Return the response of a stream. Raises as DSPy does if it contains none."""

    @abstractmethod
    def is_result(self, value: object) -> bool:
        """Return whether this is what DSPy gets of an LM that takes no request of lm15."""

    @abstractmethod
    def result_dict(self, result: Any) -> dict[str, Any]: ...

    @abstractmethod
    def result_from(self, data: dict[str, Any]) -> Any: ...

    @abstractmethod
    def result_of(self, response: Any, lm: Any) -> Any:
        """Return what DSPy gets of an LM that takes no request of lm15, with this response."""

    def request_of(self, legacy: Mapping[str, Any]) -> Any:
        """Return the lm15 request of an LM's arguments, or None if lm15 has no words for them."""
        return request_of(self.lm15, legacy)

    def is_offline(self, lm: object, engine: object = None) -> bool:
        """Return whether an LM, or an engine alone, makes no live calls.

        `engine` is the one that serves a call of the LM; without it, the LM's own. Any of them may
        have `offline = True`, also the engine behind an asynchronous one. DSPy's dummies need not.
        """
        if engine is None:
            engine = self.engine_of(lm)
        for part in (lm, engine, getattr(engine, "engine", None)):
            if getattr(part, "offline", False) is True or self.is_dummy(part):
                return True
        return False

    def request_dict(self, request: Any) -> dict[str, Any]:
        """Return a request of lm15 as plain data."""
        return cast("dict[str, Any]", self.serde.request_to_dict(request))

    def response_dict(self, response: Any) -> dict[str, Any]:
        data = self.serde.response_to_dict(response, include_provider_data=True)
        return cast("dict[str, Any]", data)

    def response_from(self, data: dict[str, Any]) -> Any:
        return self.serde.response_from_dict(data)

    def event_dict(self, event: Any) -> dict[str, Any]:
        return cast("dict[str, Any]", self.serde.stream_event_to_dict(event))

    def event_from(self, data: Mapping[str, Any]) -> Any:
        return self.serde.stream_event_from_dict(dict(data))

    def is_response(self, value: object) -> bool:
        return isinstance(value, self.lm15.Response)

    def events_of(self, response: Any) -> list[Any]:
        """Return the events of a stream with this response."""
        return list(self.lm15.response_to_events(response))

    def as_of_lm15(self, error: Exception) -> Exception:
        """Return the error of a model as lm15 has it, or itself if it is another one."""
        return error

    def is_of_lm15(self, error_class: type[Exception]) -> bool:
        """Return whether this is an error of an engine, which DSPy turns into one of its own."""
        return issubclass(error_class, self.lm15.LM15Error)

    def error_defaults(self, error_class: type[Exception]) -> dict[str, Any]:
        """Return the default attributes of errors of lm15 or of DSPy."""
        if self.is_of_lm15(error_class):
            return dict(vars(self.lm15.LM15Error()))
        own = getattr(dspy, "LMError", None)
        return dict(vars(own())) if own is not None and issubclass(error_class, own) else {}


@cache
def shape() -> Shape:
    """Return the shape of the installed DSPy: the first that finds what it needs."""
    for name in SHAPES:
        found: type[Shape] = import_module(f"dspy_profiles._dspy.{name}").Here
        if found.is_here():
            return found()
    raise unfit("makes its calls in a way that cannot be followed")
