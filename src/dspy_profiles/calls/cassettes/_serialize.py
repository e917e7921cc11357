"""DSPy's requests, responses and errors as data, and back, by private names of DSPy."""

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
    """Return the events of a stream with this response."""
    return list(cast("Iterator[Any]", dspy.lm15.response_to_events(response)))


def response_of(events: Sequence[Any], request: Any) -> Any:
    """Return the response of a stream. Raises as DSPy does if it contains none."""
    return materialize_response(iter(events), request)


def is_result(value: object) -> bool:
    """Return whether this is the result of an engine that takes no lm15 requests."""
    return isinstance(value, CallResult)


def result_dict(result: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", result.dump())


def result_from(data: dict[str, Any]) -> Any:
    result = CallResult.load(data)
    result.usage, result.cache_hit = data.get("usage") or {}, False  # not from a cache
    return result


def is_chunk(value: object) -> bool:
    """Return whether this is an object that LiteLLM's engine sends to the reader of a stream."""
    kind = type(value)
    return (kind.__module__.partition(".")[0], kind.__name__) == ("litellm", "ModelResponseStream")


def chunk_dict(chunk: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", chunk.model_dump(warnings=False))


def chunk_from(data: Mapping[str, Any]) -> Any:
    """Return the chunk, marked for the predictor that is running here."""
    from dspy.clients._litellm import get_litellm

    fields = {**copy.deepcopy(dict(data)), "id": "", "created": 0}
    chunk = get_litellm(feature="a recorded stream").ModelResponseStream(**fields)
    if (mark := reader()) is not None:
        chunk.predict_id = mark
    return chunk


def sends_chunks(lm: Any) -> bool:
    """Return whether an LM without lm15 requests sends chunks: only LiteLLM's chat does."""
    return type(lm) is dspy.LM and lm.model_type == "chat"


def is_of_lm15(error_class: type[Exception]) -> bool:
    """Return whether this is an error of an engine, which DSPy turns into one of its own."""
    return issubclass(error_class, dspy.lm15.LM15Error)


def error_defaults(error_class: type[Exception]) -> dict[str, Any]:
    """Return the default attributes of errors of lm15 or of DSPy."""
    if is_of_lm15(error_class):
        return dict(vars(dspy.lm15.LM15Error()))
    return dict(vars(dspy.LMError())) if issubclass(error_class, dspy.LMError) else {}
