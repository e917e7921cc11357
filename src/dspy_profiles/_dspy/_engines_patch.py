"""DSPy 3.4: every call of an LM passes an engine, chosen in `dspy.clients.execution`."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from dspy_profiles._dspy._call import REPLAYED, Call, Route
from dspy_profiles._dspy._engine_proxy import AsyncEngineProxy, EngineProxy, within
from dspy_profiles._dspy._names import doors, mark, unfit
from dspy_profiles._dspy._shape import shape

__all__ = ["can_patch", "patch"]

EXECUTION = "dspy.clients.execution"
NEEDED = ("_select_engine", "finalize", "_cached", "_store")
PROXY = "dspy_profiles_proxy"  # attribute of DSPy's object for one call, which `finalize` gets too


def can_patch() -> bool:
    """Return whether this DSPy has the functions that `patch` replaces."""
    return doors(EXECUTION, *NEEDED) is not None


def patch(route: Route) -> None:
    """Lead the calls of LMs along the route: behind DSPy's cache, and inside of its retries."""
    execution = doors(EXECUTION, *NEEDED)
    if execution is None:
        raise unfit("makes its calls in a way that cannot be followed")
    functions: dict[str, Any] = vars(execution)
    functions["_select_engine"] = _with_proxy(functions["_select_engine"], route)
    functions["finalize"] = _with_price(functions["finalize"], route)
    if doors(EXECUTION, "_delay") is not None:
        functions["_delay"] = _without_delay_of_replays(functions["_delay"])
    for name in ("_cached", "_store"):
        functions[name] = _unless_bypassed(functions[name], route)


def _unless_bypassed(function: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(function)
    def patched(*arguments: Any) -> Any:
        return None if route.bypasses_cache() else function(*arguments)

    return patched


def _with_proxy(select: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(select)
    def patched(lm: Any, call: Any, asynchronous: Any) -> Any:
        engine, request, provider = select(lm, call, asynchronous)
        stages = route.stages()
        if within(lm):
            return engine, request, provider
        if not stages:
            route.passed(lm)
            return engine, request, provider
        template = Call(
            "lm",
            lm.model,
            lm,
            provider=provider,
            rollout=call.legacy.get("rollout_id", call.kwargs.get("rollout_id")),
            offline=shape().is_offline(lm, engine),
        )
        kind = AsyncEngineProxy if asynchronous else EngineProxy
        proxy = kind(engine, template, stages, route)
        setattr(call, PROXY, proxy)
        return proxy, request, provider

    return patched


def _with_price(finalize: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(finalize)
    def patched(lm: Any, call: Any, result: Any) -> Any:
        value = finalize(lm, call, result)  # first: a call that was paid for is in the history
        proxy = getattr(call, PROXY, None)
        if proxy is not None:
            if all(attempt.call.replayed for attempt in proxy.attempts):
                route.passed(lm)
                mark(result.outputs, replayed=True)
            proxy.attempts[-1].priced(result.cost)
        elif result.cache_hit:
            route.cached(lm)
        return value

    return patched


def _without_delay_of_replays(delay: Callable[..., Any]) -> Callable[..., Any]:
    """DSPy waits before it tries again; after a replayed error there is nothing to wait for."""

    @wraps(delay)
    def patched(error: Any, attempt: int) -> Any:
        replayed = any(hasattr(each, REPLAYED) for each in (error, error.__cause__))
        return 0.0 if replayed else delay(error, attempt)

    return patched
