"""Intercept DSPy's calls to models: behind its cache, and inside of its retries."""

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any

import dspy

from dspy_profiles import _dspy
from dspy_profiles._locks import ProcessLock
from dspy_profiles.calls import _drivers as drivers
from dspy_profiles.calls._engine import AsyncEngineProxy, EngineProxy, within
from dspy_profiles.calls._pipeline import StagedCall
from dspy_profiles.calls._stage import REPLAYED, STAGES, Call, Stage

__all__ = ["install", "watch"]

EXECUTION = "dspy.clients.execution"
EMBEDDING = "dspy.clients.embedding"
COLBERT = "dspy.dsp.colbertv2"
PROXY = "dspy_profiles_proxy"  # attribute of DSPy's object for one call, which `finalize` gets too

_lock = ProcessLock()
_installed = False
_watchers: list[Callable[[Any], None]] = []


def install() -> None:
    """Lead every call from now on through the stages that are active where it is made.

    Without stages, calls go their way as before. Raises if this DSPy cannot be patched: a guard
    that misses calls would be worse than none.
    """
    global _installed  # noqa: PLW0603 - once per process
    with _lock:
        if _installed:
            return
        names = ("_select_engine", "finalize", "_cached", "_store")
        execution = _dspy.doors(EXECUTION, *names)
        if execution is None:
            raise _dspy.unfit("makes its calls in a way that cannot be followed")
        functions: dict[str, Any] = vars(execution)
        functions["_select_engine"] = _with_proxy(functions["_select_engine"])
        functions["finalize"] = _with_price(functions["finalize"])
        if _dspy.doors(EXECUTION, "_delay") is not None:
            functions["_delay"] = _without_delay_of_replays(functions["_delay"])
        for name in ("_cached", "_store"):
            functions[name] = _unless_bypassed(functions[name])
        _patch_embedder()
        _patch_retriever()
        _installed = True


def watch(notice: Callable[[Any], None]) -> None:
    """Call `notice` with the LM of every call from now on, even without stages."""
    install()
    if notice not in _watchers:
        _watchers.append(notice)


def _show(lm: Any) -> None:
    for notice in _watchers:
        notice(lm)


class _Watchers(Stage):
    """Last stage: it is asked only about calls that are not blocked."""

    def before(self, call: Call) -> None:
        _show(call.lm)


_LAST = _Watchers()


def _active() -> Sequence[Stage]:
    stages: Sequence[Stage] = dspy.settings.get(STAGES, ())
    return stages


def _is_cache_bypassed() -> bool:
    return any(stage.bypasses_cache for stage in _active())


def _unless_bypassed(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def patched(*arguments: Any) -> Any:
        return None if _is_cache_bypassed() else function(*arguments)

    return patched


def _or_directly(cached: Callable[..., Any], direct: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(cached)
    def patched(*arguments: Any, **named: Any) -> Any:
        return (direct if _is_cache_bypassed() else cached)(*arguments, **named)

    return patched


def _with_proxy(select: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(select)
    def patched(lm: Any, call: Any, asynchronous: Any) -> Any:
        engine, request, provider = select(lm, call, asynchronous)
        stages = _active()
        if within(lm):
            return engine, request, provider
        if not stages:
            _show(lm)
            return engine, request, provider
        template = Call(
            "lm",
            lm.model,
            lm,
            provider=provider,
            rollout=call.legacy.get("rollout_id", call.kwargs.get("rollout_id")),
            offline=_dspy.is_offline(lm, engine),
        )
        kind = AsyncEngineProxy if asynchronous else EngineProxy
        proxy = kind(engine, template, (*stages, _LAST))
        setattr(call, PROXY, proxy)
        return proxy, request, provider

    return patched


def _with_price(finalize: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(finalize)
    def patched(lm: Any, call: Any, result: Any) -> Any:
        value = finalize(lm, call, result)  # first: a call that was paid for is in the history
        proxy = getattr(call, PROXY, None)
        if proxy is not None:
            if all(attempt.call.replayed for attempt in proxy.attempts):
                _show(lm)
                _dspy.mark(result.outputs, replayed=True)
            proxy.attempts[-1].priced(result.cost)
        elif result.cache_hit:
            _show(lm)
            for stage in _active():
                stage.cached(lm)
        return value

    return patched


def _without_delay_of_replays(delay: Callable[..., Any]) -> Callable[..., Any]:
    """DSPy waits before it tries again; after a replayed error there is nothing to wait for."""

    @wraps(delay)
    def patched(error: Any, attempt: int) -> Any:
        replayed = any(hasattr(each, REPLAYED) for each in (error, error.__cause__))
        return 0.0 if replayed else delay(error, attempt)

    return patched


def _patch_embedder() -> None:
    module = _dspy.doors(EMBEDDING, "_compute_embeddings", "_acompute_embeddings")
    if module is None:
        return
    functions: dict[str, Any] = vars(module)
    compute, acompute = functions["_compute_embeddings"], functions["_acompute_embeddings"]

    @wraps(compute)
    def patched(model: Any, batch: Any, *more: Any, **arguments: Any) -> Any:
        staged = _embedding(model, batch, arguments)
        return drivers.call(staged, partial(compute, model, batch, *more, **arguments))

    @wraps(acompute)
    async def apatched(model: Any, batch: Any, *more: Any, **arguments: Any) -> Any:
        staged = _embedding(model, batch, arguments)
        return await drivers.acall(staged, partial(acompute, model, batch, *more, **arguments))

    functions.update(_compute_embeddings=patched, _acompute_embeddings=apatched)
    for name, direct in (("_cached_compute", patched), ("_cached_acompute", apatched)):
        if callable(cached := functions.get(f"{name}_embeddings")):
            functions[f"{name}_embeddings"] = _or_directly(cached, direct)


def _embedding(model: Any, batch: Any, arguments: dict[str, Any]) -> StagedCall:
    # A function is the program's own, and so not a live call as far as we can know.
    name = model if isinstance(model, str) else getattr(model, "__name__", type(model).__name__)
    embedding = Call("embedder", name, request=batch, legacy=arguments, offline=name is not model)
    return StagedCall(embedding, _active())


def _patch_retriever() -> None:
    names = ("colbertv2_get_request_v2", "colbertv2_post_request_v2")
    module = _dspy.doors(COLBERT, *names)
    for name in names if module is not None else ():
        inner = getattr(getattr(module, name), "__wrapped__", None)
        if inner is None:
            continue
        staged = _retrieving(inner)  # the function behind the cache; DSPy wraps it in two
        again = _or_directly(_dspy.cached_again(staged), staged)
        setattr(module, name, again)
        outer = name.removesuffix("_v2")
        if callable(cached := getattr(module, outer, None)):
            setattr(module, outer, _or_directly(cached, staged))


def _retrieving(retrieve: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(retrieve)
    def patched(url: str, query: str, k: int) -> Any:
        retrieval = Call("retriever", url, request=query, legacy={"k": k})
        return drivers.call(StagedCall(retrieval, _active()), partial(retrieve, url, query, k))

    return patched
