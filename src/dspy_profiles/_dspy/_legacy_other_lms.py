"""LMs of DSPy 3.0 to 3.3 that do not call LiteLLM: those with a `forward` of their own, dummies."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import dspy

from dspy_profiles._dspy._call import Route
from dspy_profiles._dspy._engine_proxy import sent, within
from dspy_profiles._dspy._legacy_attempts import PASSAGE, Passage
from dspy_profiles._dspy._stream import is_read

__all__ = ["OWN", "of_dummy", "with_own_forward"]

OWN = "dspy_profiles_staged"  # on a `forward` that is led through the stages


def with_own_forward(call: Callable[..., Any], route: Route) -> Callable[..., Any]:
    """Before an LM is called, lead its class's own `forward` through the stages."""

    @wraps(call)
    def patched(self: Any, *arguments: Any, **named: Any) -> Any:
        for name, lead in (("forward", _of_other), ("aforward", _aof_other)):
            owner: Any = next((c for c in type(self).__mro__ if name in vars(c)), None)
            forward = vars(owner).get(name) if owner is not None else None
            if owner is not dspy.BaseLM and forward and not hasattr(forward, OWN):
                setattr(owner, name, lead(forward, route))
        return call(self, *arguments, **named)

    return patched


def _legacy_of(lm: Any, prompt: Any, messages: Any, named: dict[str, Any]) -> dict[str, Any]:
    asked = messages or [{"role": "user", "content": prompt}]
    arguments = {**getattr(lm, "kwargs", {}), **named}
    return {"model": lm.model, "messages": asked, **arguments}


def _of_other(forward: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(forward)
    def patched(self: Any, prompt: Any = None, messages: Any = None, **named: Any) -> Any:
        stages = () if within(self) else route.stages()
        if not stages:
            if not within(self):
                route.passed(self)
            return forward(self, prompt=prompt, messages=messages, **named)
        passage = Passage(self, route, stages)
        PASSAGE.set(passage)
        legacy = _legacy_of(self, prompt, messages, named)
        attempt = passage.attempt(None, legacy, streamed=is_read())
        return route.call(
            attempt,
            lambda: forward(self, prompt=prompt, messages=messages, **named),
            sent(self, attempt.call),
        )

    setattr(patched, OWN, True)
    return patched


def _aof_other(forward: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(forward)
    async def patched(self: Any, prompt: Any = None, messages: Any = None, **named: Any) -> Any:
        stages = () if within(self) else route.stages()
        if not stages:
            if not within(self):
                route.passed(self)
            return await forward(self, prompt=prompt, messages=messages, **named)
        passage = Passage(self, route, stages)
        PASSAGE.set(passage)
        legacy = _legacy_of(self, prompt, messages, named)
        attempt = passage.attempt(None, legacy, streamed=is_read())
        return await route.acall(
            attempt,
            lambda: forward(self, prompt=prompt, messages=messages, **named),
            sent(self, attempt.call),
        )

    setattr(patched, OWN, True)
    return patched


def of_dummy(answer: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(answer)
    def patched(self: Any, prompt: Any = None, messages: Any = None, **named: Any) -> Any:
        stages = route.stages()
        if not stages:
            route.passed(self)
            return answer(self, prompt=prompt, messages=messages, **named)
        legacy = _legacy_of(self, prompt, messages, named)
        attempt = Passage(self, route, stages).attempt(None, legacy, streamed=False)
        send = partial(answer, self, prompt=prompt, messages=messages, **named)
        outputs = route.call(attempt, send)
        attempt.priced(None)
        return outputs

    return patched
