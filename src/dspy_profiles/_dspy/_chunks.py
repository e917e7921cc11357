"""LiteLLM's own objects, which its clients send to the reader of a stream."""

import copy
from collections.abc import Mapping
from typing import Any, cast

import dspy

from dspy_profiles._dspy._names import litellm
from dspy_profiles._dspy._stream import reader

__all__ = ["chunk_dict", "chunk_from", "is_chunk", "sends_chunks"]


def is_chunk(value: object) -> bool:
    """Return whether this is such an object."""
    kind = type(value)
    return (kind.__module__.partition(".")[0], kind.__name__) == ("litellm", "ModelResponseStream")


def chunk_dict(chunk: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", chunk.model_dump(warnings=False))


def chunk_from(data: Mapping[str, Any]) -> Any:
    """Return the chunk, marked for the predictor that is running here."""
    fields = {**copy.deepcopy(dict(data)), "id": "", "created": 0}
    chunk: Any = litellm("a recorded stream").ModelResponseStream(**fields)
    if (mark := reader()) is not None:
        chunk.predict_id = mark
    return chunk


def sends_chunks(lm: Any) -> bool:
    """Return whether an LM without lm15 requests sends chunks: only LiteLLM's chat does."""
    return type(lm) is dspy.LM and lm.model_type == "chat"
