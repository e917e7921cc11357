"""An LM of DSPy 3.0 to 3.3 that an engine serves: the mock, a cassette."""

import asyncio
import inspect
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dspy
import lm15

from dspy_profiles._dspy import _legacy_data as data
from dspy_profiles._dspy._chunks import chunk_from
from dspy_profiles._dspy._legacy_attempts import Passage, passage_of, pause_after
from dspy_profiles._dspy._legacy_other_lms import OWN
from dspy_profiles._dspy._plain import bare_request_of, request_of
from dspy_profiles._dspy._stream import areplay_to_stream, is_read, replay_to_stream

__all__ = ["EngineLM"]


# Before DSPy 3.3 an LM adds to the tracker of usage itself.
COUNTED_BY_BASE = (
    "usage_tracker"
    in inspect.unwrap(
        dspy.BaseLM._process_lm_response  # noqa: SLF001 - the only place that shows it
    ).__code__.co_names
)


@dataclass(frozen=True)
class Asked:
    """One call of the LM."""

    prompt: str | None
    legacy: Mapping[str, Any]
    request: Any
    n: int


class EngineLM(dspy.BaseLM):  # type: ignore[misc]
    """LM whose answers an engine makes: an object with `complete(request)`, in lm15."""

    forward_contract = "legacy"  # of DSPy 3.3
    supports_function_calling = True
    supports_reasoning = False
    supports_response_schema = False

    def __init__(  # noqa: PLR0913, PLR0917 - those of dspy.LM
        self,
        model: str,
        model_type: str = "chat",
        temperature: float | None = None,
        max_tokens: int | None = None,
        cache: bool = False,
        callbacks: list[Any] | None = None,
        num_retries: int = 0,
        engine: Any = None,
        async_engine: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, model_type, temperature, max_tokens, cache, **kwargs)
        self.callbacks = list(callbacks or [])
        self.num_retries = num_retries
        self.engine = engine
        self.async_engine = async_engine

    @property
    def offline(self) -> bool:
        return getattr(self.engine, "offline", False) is True

    @property
    def supported_params(self) -> set[str]:
        return set(getattr(self.engine, "supported_params", ()))

    def forward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        return execute(self, self._asked(prompt, messages, kwargs))

    async def aforward(self, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        return await aexecute(self, self._asked(prompt, messages, kwargs))

    def dump_state(self) -> dict[str, Any]:
        return {"model": self.model, "model_type": self.model_type, **self.kwargs}

    def _asked(self, prompt: Any, messages: Any, kwargs: Mapping[str, Any]) -> Asked:
        legacy = {**self.kwargs, **kwargs, "model": self.model}
        legacy["messages"] = messages or [{"role": "user", "content": prompt}]
        n = legacy.pop("n", None) or 1
        request = request_of(lm15, legacy) or bare_request_of(lm15, legacy)
        return Asked(None if messages else prompt, legacy, request, n)


setattr(EngineLM.forward, OWN, True)
setattr(EngineLM.aforward, OWN, True)


def execute(lm: EngineLM, call: Asked) -> Any:
    """Return the completion. The mock finds `call` and `results` on the stack."""
    passage = passage_of(lm)
    results: list[Any] = []
    while len(results) < call.n:
        tries = 0
        while True:
            try:
                results.append(_once(lm, call, passage))
                break
            except Exception as error:  # noqa: BLE001 - `pause_after` raises it in the end
                time.sleep(pause_after(error, lm, tries))
                tries += 1
    return _counted(lm, results)


async def aexecute(lm: EngineLM, call: Asked) -> Any:
    """Do the same with the asynchronous engine."""
    passage = passage_of(lm)
    results: list[Any] = []
    while len(results) < call.n:
        tries = 0
        while True:
            try:
                results.append(await _aonce(lm, call, passage))
                break
            except Exception as error:  # noqa: BLE001 - `pause_after` raises it in the end
                await asyncio.sleep(pause_after(error, lm, tries))
                tries += 1
    return _counted(lm, results)


def _counted(lm: EngineLM, results: list[Any]) -> Any:
    """Return the completion of these responses, counted where DSPy leaves that to the LM."""
    completion = data.completion_of(*results)
    tracker = dspy.settings.usage_tracker
    if tracker and not COUNTED_BY_BASE:
        tracker.add_usage(lm.model, dict(completion.usage))
    return completion


def _once(lm: EngineLM, call: Asked, passage: Passage | None) -> Any:
    engine, request = lm.engine, call.request
    if not (is_read() and hasattr(engine, "stream")):
        if passage is None:
            return engine.complete(request)
        attempt = passage.attempt(request, call.legacy, streamed=False)
        return passage.route.call(attempt, lambda: engine.complete(request))
    if passage is None:
        source = engine.stream(request)
    else:
        attempt = passage.attempt(request, call.legacy, streamed=True)
        source = passage.route.stream(attempt, lambda: engine.stream(request))
    events = []
    for event in source:
        events.append(event)
        replay_to_stream([chunk_from(one) for one in data.chunks_of([event], lm.model)])
    return data.materialized(events, request)


async def _aonce(lm: EngineLM, call: Asked, passage: Passage | None) -> Any:
    engine, request = lm.async_engine, call.request
    if not is_read():
        if passage is None:
            return await engine.complete(request)
        attempt = passage.attempt(request, call.legacy, streamed=False)
        return await passage.route.acall(attempt, lambda: engine.complete(request))
    if passage is None:
        source = engine.stream(request)
    else:
        attempt = passage.attempt(request, call.legacy, streamed=True)
        source = passage.route.astream(attempt, lambda: engine.stream(request))
    events = []
    async for event in source:
        events.append(event)
        await areplay_to_stream([chunk_from(one) for one in data.chunks_of([event], lm.model)])
    return data.materialized(events, request)
