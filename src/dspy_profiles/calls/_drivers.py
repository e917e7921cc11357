"""Make a staged call: ask its stages, reach the model, deliver what came back.

Two drivers for one state machine, line for line the same: `call` and `stream`, and for programs
that await, `acall` and `astream`. `sent` is a context that holds while the engine runs.
"""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from dspy_profiles._dspy import areplay_to_stream, replay_to_stream
from dspy_profiles.calls._pipeline import StagedCall, result_of

__all__ = ["acall", "astream", "call", "stream"]

Sent = AbstractContextManager[object]
NOTHING: Sent = nullcontext()


def call(staged: StagedCall, send: Callable[[], Any], sent: Sent = NOTHING) -> Any:
    """Return the result of the call, or the one that a stage has in its place."""
    try:
        if (answer := staged.start()) is None:
            try:
                with sent:
                    result = send()
            except BaseException as error:
                staged.failed(error)
                raise
            answer = staged.succeeded(result)
    finally:
        if staged.chunks:
            replay_to_stream(staged.chunks)
    return result_of(answer)


def stream(staged: StagedCall, open_source: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    """Yield the events of the call, or those that a stage has in their place."""
    if (answer := staged.start()) is None:
        source: Any = None
        try:
            source = open_source()
            for event in source:
                if staged.received(event):
                    yield event
        except BaseException as error:
            if (answer := staged.broken(error)) is None:
                raise
        else:
            answer = staged.ended()
        finally:
            if hasattr(source, "close"):
                source.close()
    yield from answer.events or ()
    result_of(answer)


async def acall(
    staged: StagedCall, send: Callable[[], Awaitable[Any]], sent: Sent = NOTHING
) -> Any:
    """Return the same as `call`, where the engine is awaited."""
    try:
        if (answer := staged.start()) is None:
            try:
                with sent:
                    result = await send()
            except BaseException as error:
                staged.failed(error)
                raise
            answer = staged.succeeded(result)
    finally:
        if staged.chunks:
            await areplay_to_stream(staged.chunks)
    return result_of(answer)


async def astream(
    staged: StagedCall, open_source: Callable[[], AsyncIterable[Any]]
) -> AsyncIterator[Any]:
    """Yield the same as `stream`, where the events are awaited."""
    if (answer := staged.start()) is None:
        source: Any = None
        try:
            source = open_source()
            async for event in source:
                if staged.received(event):
                    yield event
        except BaseException as error:
            if (answer := staged.broken(error)) is None:
                raise
        else:
            answer = staged.ended()
        finally:
            if hasattr(source, "aclose"):
                await source.aclose()
    for event in answer.events or ():
        yield event
    result_of(answer)
