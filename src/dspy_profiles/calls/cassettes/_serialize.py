"""DSPy's requests, responses and errors as data, and back. Its private names stand only here."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import dspy
from dspy._vendor.lm15 import serde
from dspy._vendor.lm15.result import materialize_response
from dspy.clients.call_result import CallResult

from dspy_profiles.calls._stream import reader

__all__ = [
    "chunk_dict",
    "chunk_from",
    "error_defaults",
    "event_dict",
    "event_from",
    "events_of",
    "is_chunk",
    "is_of_lm15",
    "is_response",
    "is_result",
    "request_dict",
    "response_dict",
    "response_from",
    "response_of",
    "result_dict",
    "result_from",
    "sends_chunks",
    "version",
]


def version() -> str:
    return str(dspy.__version__)


def request_dict(request: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", serde.request_to_dict(request))


def is_response(value: object) -> bool:
    return isinstance(value, dspy.lm15.Response)


def response_dict(response: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", serde.response_to_dict(response, include_provider_data=True))


def response_from(data: dict[str, Any]) -> Any:
    return serde.response_from_dict(data)


def event_dict(event: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", serde.stream_event_to_dict(event))


def event_from(data: Mapping[str, Any]) -> Any:
    return serde.stream_event_from_dict(dict(data))


def events_of(response: Any) -> list[Any]:
    """The events of a stream that brings this response."""
    return list(cast("Iterator[Any]", dspy.lm15.response_to_events(response)))


def response_of(events: Sequence[Any], request: Any) -> Any:
    """The response that a stream has brought; raises as DSPy does where there is none in it."""
    return materialize_response(iter(events), request)


def is_result(value: object) -> bool:
    """Whether it is what an engine gives that takes no requests of lm15."""
    return isinstance(value, CallResult)


def result_dict(result: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", result.dump())


def result_from(data: dict[str, Any]) -> Any:
    result = CallResult.load(data)
    result.usage, result.cache_hit = data.get("usage") or {}, False  # no cache has answered
    return result


def is_chunk(value: object) -> bool:
    """Whether it is what LiteLLM's engine sends to who reads a stream."""
    kind = type(value)
    return (kind.__module__.partition(".")[0], kind.__name__) == ("litellm", "ModelResponseStream")


def chunk_dict(chunk: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", chunk.model_dump(warnings=False))


def chunk_from(data: Mapping[str, Any]) -> Any:
    """The chunk again, as one that the predictor which is running here reads."""
    from dspy.clients._litellm import get_litellm

    said = {**copy.deepcopy(dict(data)), "id": "", "created": 0}
    chunk = get_litellm(feature="a recorded stream").ModelResponseStream(**said)
    if (mark := reader()) is not None:
        chunk.predict_id = mark
    return chunk


def sends_chunks(lm: Any) -> bool:
    """Whether it does so where it gets no request of lm15: LiteLLM's chat alone, of DSPy's own."""
    return type(lm) is dspy.LM and lm.model_type == "chat"


def is_of_lm15(error_class: type[Exception]) -> bool:
    """Whether it is an engine's error, which DSPy makes one of its own of."""
    return issubclass(error_class, dspy.lm15.LM15Error)


def error_defaults(error_class: type[Exception]) -> dict[str, Any]:
    """The attributes that each error of lm15, or of DSPy, has where nothing is said of them."""
    if is_of_lm15(error_class):
        return dict(vars(dspy.lm15.LM15Error()))
    return dict(vars(dspy.LMError())) if issubclass(error_class, dspy.LMError) else {}
