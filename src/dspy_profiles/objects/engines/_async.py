"""The asynchronous side of an engine, as `dspy.LM(async_engine=…)` wants it."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator
from functools import reduce
from typing import Any, Self

import dspy

__all__ = ["AsyncSide"]

_END = object()


class AsyncSide:
    """Serves DSPy's asynchronous calls from an engine that has `acomplete`.

    It streams from `astream` where the engine has that, else from `stream` in a worker thread,
    else from the finished answer.
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
            # A stream that nobody reads to its end is not to linger.
            if hasattr(events, "aclose"):
                await events.aclose()

    def _events(self, request: Any) -> Any:
        if hasattr(self.engine, "astream"):
            return self.engine.astream(request)
        if hasattr(self.engine, "stream"):
            return _off_the_loop(self.engine.stream(request))
        return self._afterwards(request)

    async def _afterwards(self, request: Any) -> AsyncIterator[Any]:
        for event in dspy.lm15.response_to_events(await self.complete(request)):
            yield event

    async def aclose(self) -> None:
        if hasattr(self.engine, "aclose"):
            await self.engine.aclose()
        elif hasattr(self.engine, "close"):
            self.engine.close()

    def dump_state(self) -> dict[str, Any]:
        """What a saved program needs to make this again: the engine's class and its own state."""
        engine = type(self.engine)
        name = f"{engine.__module__}:{engine.__qualname__}"
        return {"class": name, "state": self.engine.dump_state()}

    @classmethod
    def load_state(cls, state: dict[str, Any]) -> Self:
        """Imports the class that `state` names; DSPy asks for consent before it calls this."""
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
