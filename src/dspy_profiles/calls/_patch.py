"""Where DSPy's calls leave for their models, after its cache and inside of its retries."""

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
OURS = "dspy_profiles_passage"  # on DSPy's own record of one call, which it carries to its end

_lock = ProcessLock()
_tapped = False
_watching: list[Callable[[Any], None]] = []


def install() -> None:
    """From now on every call passes the stages that are in force where it is made.

    Where none are, it goes its way as before. Raises where DSPy cannot be tapped: a guard that
    sees nothing would be worse than none.
    """
    global _tapped  # noqa: PLW0603 - a fact of the process
    with _lock:
        if _tapped:
            return
        names = ("_select_engine", "finalize", "_cached", "_store")
        execution = _dspy.doors(EXECUTION, *names)
        if execution is None:
            raise _dspy.unfit("leads its calls where they cannot be followed")
        replace: dict[str, Any] = vars(execution)
        replace["_select_engine"] = _selecting(replace["_select_engine"])
        replace["finalize"] = _finalizing(replace["finalize"])
        if _dspy.doors(EXECUTION, "_delay") is not None:
            replace["_delay"] = _delaying(replace["_delay"])
        for name in ("_cached", "_store"):
            replace[name] = _unless_bypassed(replace[name])
        _tap_embedder()
        _tap_retriever()
        _tapped = True


def watch(notice: Callable[[Any], None]) -> None:
    """Show it the LM of every call from now on, also where no stage is in force."""
    install()
    if notice not in _watching:
        _watching.append(notice)


def _show(lm: Any) -> None:
    for notice in _watching:
        notice(lm)


class _Showing(Stage):
    """The last one, which only hears of a call that nobody holds back."""

    def before(self, call: Call) -> None:
        _show(call.lm)


_SHOWING = _Showing()


def _standing() -> Sequence[Stage]:
    stages: Sequence[Stage] = dspy.settings.get(STAGES, ())
    return stages


def _is_cache_bypassed() -> bool:
    return any(stage.bypasses_cache for stage in _standing())


def _unless_bypassed(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def asked(*arguments: Any) -> Any:
        return None if _is_cache_bypassed() else function(*arguments)

    return asked


def _or_directly(cached: Callable[..., Any], direct: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(cached)
    def asked(*arguments: Any, **named: Any) -> Any:
        return (direct if _is_cache_bypassed() else cached)(*arguments, **named)

    return asked


def _selecting(select: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(select)
    def selected(lm: Any, call: Any, asynchronous: Any) -> Any:
        engine, request, provider = select(lm, call, asynchronous)
        stages = _standing()
        if within(lm):
            return engine, request, provider
        if not stages:
            _show(lm)
            return engine, request, provider
        ours = Call(
            "lm",
            lm.model,
            lm,
            provider=provider,
            rollout=call.legacy.get("rollout_id", call.kwargs.get("rollout_id")),
            offline=_dspy.is_offline(lm, engine),
        )
        made = (AsyncEngineProxy if asynchronous else EngineProxy)(
            engine, ours, (*stages, _SHOWING)
        )
        setattr(call, OURS, made)
        return made, request, provider

    return selected


def _finalizing(finalize: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(finalize)
    def finalized(lm: Any, call: Any, result: Any) -> Any:
        given = finalize(lm, call, result)  # first: what was paid for is in the history
        made = getattr(call, OURS, None)
        if made is not None:
            if all(attempt.call.replayed for attempt in made.attempts):
                _show(lm)
                _dspy.mark(result.outputs, replayed=True)
            made.attempts[-1].priced(result.cost)
        elif result.cache_hit:
            _show(lm)
            for stage in _standing():
                stage.cached(lm)
        return given

    return finalized


def _delaying(delay: Callable[..., Any]) -> Callable[..., Any]:
    """How long DSPy waits before it tries again: nobody is waited for after a replayed error."""

    @wraps(delay)
    def delayed(error: Any, attempt: int) -> Any:
        replayed = any(hasattr(each, REPLAYED) for each in (error, error.__cause__))
        return 0.0 if replayed else delay(error, attempt)

    return delayed


def _tap_embedder() -> None:
    module = _dspy.doors(EMBEDDING, "_compute_embeddings", "_acompute_embeddings")
    if module is None:
        return
    functions: dict[str, Any] = vars(module)
    compute, acompute = functions["_compute_embeddings"], functions["_acompute_embeddings"]

    @wraps(compute)
    def computed(model: Any, batch: Any, *more: Any, **arguments: Any) -> Any:
        staged = _embedding(model, batch, arguments)
        return drivers.call(staged, partial(compute, model, batch, *more, **arguments))

    @wraps(acompute)
    async def acomputed(model: Any, batch: Any, *more: Any, **arguments: Any) -> Any:
        staged = _embedding(model, batch, arguments)
        return await drivers.acall(staged, partial(acompute, model, batch, *more, **arguments))

    functions.update(_compute_embeddings=computed, _acompute_embeddings=acomputed)
    for name, direct in (("_cached_compute", computed), ("_cached_acompute", acomputed)):
        if callable(cached := functions.get(f"{name}_embeddings")):
            functions[f"{name}_embeddings"] = _or_directly(cached, direct)


def _embedding(model: Any, batch: Any, arguments: dict[str, Any]) -> StagedCall:
    # A function is the program's own, and runs here as far as anybody knows.
    name = model if isinstance(model, str) else getattr(model, "__name__", type(model).__name__)
    call = Call("embedder", name, request=batch, legacy=arguments, offline=name is not model)
    return StagedCall(call, _standing())


def _tap_retriever() -> None:
    names = ("colbertv2_get_request_v2", "colbertv2_post_request_v2")
    module = _dspy.doors(COLBERT, *names)
    for name in names if module is not None else ():
        inner = getattr(getattr(module, name), "__wrapped__", None)
        if inner is None:
            continue
        tapped = _retrieving(inner)  # what stands behind the cache; DSPy has it behind two
        again = _or_directly(_dspy.cached_again(tapped), tapped)
        setattr(module, name, again)
        outer = name.removesuffix("_v2")
        if callable(cached := getattr(module, outer, None)):
            setattr(module, outer, _or_directly(cached, tapped))


def _retrieving(ask: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(ask)
    def asked(url: str, query: str, k: int) -> Any:
        call = Call("retriever", url, request=query, legacy={"k": k})
        return drivers.call(StagedCall(call, _standing()), partial(ask, url, query, k))

    return asked
