"""Chunks that an engine itself sends to the reader of a stream, past DSPy's events.

LiteLLM's engine does so if DSPy makes no lm15 request, and so may an LM with its own `forward`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import dspy

from dspy_profiles._dspy._call import Call
from dspy_profiles._dspy._names import note_emitted

__all__ = ["areplay_to_stream", "buffer_stream", "is_read", "reader", "replay_to_stream"]


def is_read() -> bool:
    """Return whether the chunks of calls made here have a reader."""
    return dspy.settings.get("send_stream") is not None


def reader() -> int | None:
    """Return the id of the predictor that calls here; chunks find their listeners by it."""
    predictor = dspy.settings.get("caller_predict")
    return id(predictor) if predictor else None


@contextmanager
def buffer_stream(call: Call) -> Iterator[None]:
    """Keep the chunks that are sent as the call's events, if a stage wants all of them."""
    if not (call.whole and call.streamed):
        yield
        return
    buffer = _Buffer()
    call.events = buffer.chunks
    with dspy.context(send_stream=buffer):
        yield


class _Buffer:
    """Replaces the stream, and keeps the chunks that are sent to it."""

    def __init__(self) -> None:
        self.chunks: list[Any] = []

    async def send(self, chunk: Any) -> None:
        self.chunks.append(chunk)

    def send_nowait(self, chunk: Any) -> None:
        self.chunks.append(chunk)


def replay_to_stream(chunks: Iterable[Any]) -> None:
    """Send chunks to the reader, from a synchronous call."""
    from anyio import from_thread

    for chunk in chunks:
        note_emitted()
        from_thread.run(dspy.settings.send_stream.send, chunk)


async def areplay_to_stream(chunks: Iterable[Any]) -> None:
    """Send chunks to the reader, from an asynchronous call."""
    for chunk in chunks:
        note_emitted()
        await dspy.settings.send_stream.send(chunk)
