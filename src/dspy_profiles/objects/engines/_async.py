"""The asynchronous side of an engine, for `dspy.LM(async_engine=…)`."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator
from functools import reduce
from typing import Any, Self

from dspy_profiles import _dspy

__all__ = ["AsyncSide"]

_END = object()


class AsyncSide:
    """Serves DSPy's asynchronous calls with an engine that has `acomplete`.

    Streams from the engine's `astream`, or from its `stream` in a worker thread, or from the
    finished response.
    """

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    async def complete(self, request: Any) -> Any:
        return await self.engine.acomplete(request)

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        events = self._events(request)
        try:
            async for event in events:
                yield event
        finally:
            # Close a stream even if it is not read to its end.
            if hasattr(events, "aclose"):
                await events.aclose()

    def _events(self, request: Any) -> Any:
        if hasattr(self.engine, "astream"):
            return self.engine.astream(request)
        if hasattr(self.engine, "stream"):
            return _off_the_loop(self.engine.stream(request))
        return self._afterwards(request)

    async def _afterwards(self, request: Any) -> AsyncIterator[Any]:
        for event in _dspy.shape().events_of(await self.complete(request)):
            yield event

    async def aclose(self) -> None:
        if hasattr(self.engine, "aclose"):
            await self.engine.aclose()
        elif hasattr(self.engine, "close"):
            self.engine.close()

    def dump_state(self) -> dict[str, Any]:
        """Return the engine's class and state, from which a saved program restores this."""
        engine = type(self.engine)
        name = f"{engine.__module__}:{engine.__qualname__}"
        return {"class": name, "state": self.engine.dump_state()}

    @classmethod
    def load_state(cls, state: dict[str, Any]) -> Self:
        """Restore the engine; imports its class, for which DSPy asks the user first."""
        module, _, name = state["class"].partition(":")
        engine: Any = reduce(getattr, name.split("."), importlib.import_module(module))
        return cls(engine.load_state(state["state"]))


async def _off_the_loop(events: Iterator[Any]) -> AsyncIterator[Any]:
    events = iter(events)
    try:
        while (event := await asyncio.to_thread(next, events, _END)) is not _END:
            yield event
    finally:
        if hasattr(events, "close"):
            events.close()
