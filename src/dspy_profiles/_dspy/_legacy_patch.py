"""Where DSPy 3.0 to 3.3 calls models: six functions for LiteLLM, and `forward` of other LMs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import dspy
import lm15

from dspy_profiles._dspy._call import Route
from dspy_profiles._dspy._engine_proxy import within
from dspy_profiles._dspy._legacy_attempts import PASSAGE, ROUTES, Passage, atried, tried
from dspy_profiles._dspy._legacy_other_lms import OWN, of_dummy, with_own_forward
from dspy_profiles._dspy._names import doors, mark, unfit
from dspy_profiles._dspy._plain import request_of

__all__ = ["COMPLETIONS", "LM", "patch"]

LM = "dspy.clients.lm"
KINDS = ("completion", "text_completion", "responses_completion")
COMPLETIONS = tuple(f"{how}litellm_{kind}" for how in ("", "a") for kind in KINDS)


def patch(route: Route) -> None:
    """Lead the calls of LMs along the route: behind DSPy's cache, around each try."""
    module = doors(LM, *COMPLETIONS)
    if module is None:
        raise unfit("makes its calls in a way that cannot be followed")
    functions: dict[str, Any] = vars(module)
    for name in COMPLETIONS:
        kind = _astaged if name.startswith("a") else _staged
        functions[name] = kind(functions[name])
    for kind, lead, names in (
        (dspy.LM, _unless_bypassed, ["_get_cached_completion_fn"]),
        (dspy.LM, _of_lm, ["forward"]),
        (dspy.LM, _aof_lm, ["aforward"]),
        (dspy.BaseLM, _with_price, ["_process_lm_response"]),
        (dspy.BaseLM, with_own_forward, ["__call__", "acall"]),
    ):
        for name in names:
            setattr(kind, name, lead(getattr(kind, name), route))
    dummy: Any = dspy.utils.DummyLM
    if "__call__" in vars(dummy):  # before DSPy 3.2 it answers there
        dummy.__call__ = of_dummy(dummy.__call__, route)
    ROUTES.append(route)


def _unless_bypassed(choose: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(choose)
    def patched(self: Any, completion: Any, cache: Any) -> Any:
        return choose(self, completion, cache and not route.bypasses_cache())

    return patched


def _of_lm(forward: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(forward)
    def patched(self: Any, *arguments: Any, **named: Any) -> Any:
        with _call_of(self, route) as ended:
            return ended(forward(self, *arguments, **named))

    setattr(patched, OWN, True)
    return patched


def _aof_lm(forward: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(forward)
    async def patched(self: Any, *arguments: Any, **named: Any) -> Any:
        with _call_of(self, route) as ended:
            return ended(await forward(self, *arguments, **named))

    setattr(patched, OWN, True)
    return patched


@contextmanager
def _call_of(lm: Any, route: Route) -> Iterator[Callable[[Any], Any]]:
    """Begin the passage of a call; take note of the LM if none of its tries passes the stages."""
    if within(lm):
        yield lambda completion: completion
        return
    stages = route.stages()
    passage = Passage(lm, route, stages) if stages else None
    PASSAGE.set(passage)
    cached: list[bool] = []

    def ended(completion: Any) -> Any:
        cached.append(bool(getattr(completion, "cache_hit", False)))
        return completion

    try:
        yield ended
    finally:
        if passage is None or not passage.attempts:
            (route.cached if cached == [True] else route.passed)(lm)


def _staged(complete: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(complete)  # its name is a part of DSPy's cache key
    def patched(request: dict[str, Any], num_retries: int, cache: Any = None) -> Any:
        passage = PASSAGE.get()
        if passage is None or within(passage.lm):
            return complete(request=request, num_retries=num_retries, cache=cache)

        def send() -> Any:
            return complete(request=dict(request), num_retries=0, cache=cache)

        return tried(passage, _request_in(complete, request), request, send)

    return patched


def _astaged(complete: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(complete)
    async def patched(request: dict[str, Any], num_retries: int, cache: Any = None) -> Any:
        passage = PASSAGE.get()
        if passage is None or within(passage.lm):
            return await complete(request=request, num_retries=num_retries, cache=cache)

        async def send() -> Any:
            return await complete(request=dict(request), num_retries=0, cache=cache)

        return await atried(passage, _request_in(complete, request), request, send)

    return patched


def _request_in(complete: Callable[..., Any], legacy: dict[str, Any]) -> Any:
    """Return the request in lm15, if the call is a chat that lm15 has words for."""
    name = complete.__name__.removeprefix("a")
    return request_of(lm15, legacy) if name == "litellm_completion" else None


def _with_price(process: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(process)
    def patched(self: Any, response: Any, *arguments: Any, **named: Any) -> Any:
        outputs = process(self, response, *arguments, **named)  # first: it was paid for
        passage = PASSAGE.get()
        if passage is not None and passage.lm is self and passage.attempts:
            PASSAGE.set(None)
            if all(attempt.call.replayed for attempt in passage.attempts):
                route.passed(self)
                mark(outputs, replayed=True)
            hidden = getattr(response, "_hidden_params", None) or {}
            passage.attempts[-1].priced(hidden.get("response_cost"))
        return outputs

    return patched
