"""What an engine sends by itself to who reads a stream, past DSPy's events.

LiteLLM's does so where DSPy makes no request of lm15, and an LM with a `forward` of its own may.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import dspy

from dspy_profiles import _dspy
from dspy_profiles.calls._stage import Call

__all__ = ["areplay_to_stream", "buffer_stream", "is_read", "reader", "replay_to_stream"]


def is_read() -> bool:
    """Whether somebody waits for the chunks of the calls that are made here."""
    return dspy.settings.get("send_stream") is not None


def reader() -> int | None:
    """The mark of the predictor that calls here: chunks bear it, and find their listeners by it."""
    predictor = dspy.settings.get("caller_predict")
    return id(predictor) if predictor else None


@contextmanager
def buffer_stream(call: Call) -> Iterator[None]:
    """While it runs, what is sent becomes the call's events, if a stage wants all of them."""
    if not (call.whole and call.streamed):
        yield
        return
    waiting = _Waiting()
    call.events = waiting.chunks
    with dspy.context(send_stream=waiting):
        yield


class _Waiting:
    """In the place of the stream: what is sent to it stays here."""

    def __init__(self) -> None:
        self.chunks: list[Any] = []

    async def send(self, chunk: Any) -> None:
        self.chunks.append(chunk)

    def send_nowait(self, chunk: Any) -> None:
        self.chunks.append(chunk)


def replay_to_stream(chunks: Iterable[Any]) -> None:
    """Send them to who reads, from a synchronous call, as its engine would have."""
    from anyio import from_thread

    for chunk in chunks:
        _dspy.note_emitted()
        from_thread.run(dspy.settings.send_stream.send, chunk)


async def areplay_to_stream(chunks: Iterable[Any]) -> None:
    """The same from an asynchronous one."""
    for chunk in chunks:
        _dspy.note_emitted()
        await dspy.settings.send_stream.send(chunk)
